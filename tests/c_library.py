"""The C interface (runtime/c/weft.h) for Python: what tests call of it."""
import ctypes


class PlanOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("no_hugepages", ctypes.c_int), ("target", ctypes.c_char_p), ("mlock", ctypes.c_int)]


def succeeds(error):
    assert not error


def load(library):
    weft = ctypes.CDLL(str(library))
    pointer = ctypes.c_void_p
    for name, result, *arguments in [
        ("plan_open", succeeds, ctypes.c_char_p, ctypes.POINTER(PlanOptions), ctypes.POINTER(pointer)), ("plan_close", None, pointer),
        ("plan_vocab", ctypes.c_int64, pointer),
        ("tokenize", succeeds, pointer, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.POINTER(ctypes.c_int32), ctypes.c_size_t,
         ctypes.POINTER(ctypes.c_size_t)),
        ("session_create", succeeds, pointer, pointer, ctypes.POINTER(pointer)), ("session_free", None, pointer),
        ("session_decode", succeeds, pointer, ctypes.c_int32), ("session_logits", ctypes.POINTER(ctypes.c_float), pointer)]:
        function = getattr(weft, f"weft_{name}")
        function.argtypes = arguments
        function.restype = pointer if result is succeeds else result
        if result is succeeds:
            function.errcheck = lambda error, *_: succeeds(error)
    return weft


class Plan:
    """An open plan, and a session on it from the first token on."""

    def __init__(self, library, path, **options):
        self.weft, self.plan, self.session = load(library), ctypes.c_void_p(), ctypes.c_void_p()
        options = PlanOptions(ctypes.sizeof(PlanOptions), **options)
        self.weft.weft_plan_open(str(path).encode(), ctypes.byref(options), ctypes.byref(self.plan))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.session:
            self.weft.weft_session_free(self.session)
        self.weft.weft_plan_close(self.plan)

    def tokenize(self, text, flags):
        ids, count = (ctypes.c_int32 * (len(text) * 3 + 8))(), ctypes.c_size_t()
        self.weft.weft_tokenize(self.plan, text, len(text), flags, ids, len(ids), ctypes.byref(count))
        return list(ids[:count.value])

    def decode(self, id):
        """The bytes of the logits after one more token."""
        if not self.session:
            self.weft.weft_session_create(self.plan, None, ctypes.byref(self.session))
        self.weft.weft_session_decode(self.session, id)
        return ctypes.string_at(self.weft.weft_session_logits(self.session), 4 * self.weft.weft_plan_vocab(self.plan))
