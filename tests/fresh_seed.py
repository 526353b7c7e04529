"""A seed that is another in each run of a test, said for the same again."""
import os, random


def fresh_seed():
    seed = int(os.environ.get("WEFT_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed} (WEFT_SEED={seed} for the same again)", flush=True)
    return seed
