"""Small templates for make_chat_goldens.py, a few features of the template language in each, and their variables."""

CONTEXT = {
    "name": "World", "n": 7, "pi": 3.25, "yes": True, "no": False, "nothing": None, "empty": "", "big": 2**53 + 1,
    "text": "The quick brown fox", "spaced": "  \t padded\u00a0\u3000\n", "uni": "naïve ΣΊΣΥΦΟΣ 日本 👩‍🚀",
    "list": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple", "Fig"], "nested": [[1, 2], [3], []],
    "obj": {"b": 1, "a": 2, "c": {"d": [10, 20]}}, "keys": {"items": "shadow", "x y": 1, "get": 2},
    "people": [{"name": "Ann", "age": 30, "tags": ["x"]}, {"name": "bob", "age": 25, "tags": []},
               {"name": "Cy", "age": 30}, {"name": None, "age": 1}],
    "floats": [1.0, 2.5, -0.0, 1e16, 1e-5, 123456789.125, 1e22, 0.1], "mixed": [1, "a", None, True, 2.5, [1], {"k": "v"}],
    "message": {"role": "user", "content": "hi", "tool_calls": []}, "multi": "line one\n\n  line two\r\nline three\n",
    "html": "<a href=\"x\">&'</a>", "quotes": "it's \"so\" \\ \n\t\u0001\u200b",
}

PLAIN = r"""
{{ name }}
{{ missing }}|
{{ nothing }} {{ yes }} {{ no }} {{ n }} {{ pi }}
{{ 'a' "b" 'c' }}
{{ "tab\tnew\nline\\ \x41 \u00e9 \U0001F600 \101 \q \'" }}
{{ 1_000 + 0x1F + 0b101 + 0o17 }} {{ 1e3 }} {{ 1.5e-3 }} {{ 2E2 }} {{ 1_0.5 }}
{{ floats }}
{{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 100.0 }} {{ 1e15 }} {{ 1e16 }} {{ 1e-4 }} {{ 0.00001 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }}
{{ [1, 2.0, 'x', none, true, [], {}, (), (1,), (1, 2)] }}
{{ {'a': 1, 'b': [1, {'c': none}], 3: 'x', 1.5: 2, none: 0} }}
{{ {'a': 1, 'a': 2, 1: 'x', true: 'y', 1.0: 'z'} }}
{{ () }} {{ (1) }} {{ 1, 2 }} {{ (1, 2)[1] }} {{ [1, 2,] }}
{{ quotes }}
{{ [quotes] }}
{{ ["it's", 'say "x"', 'both \' and "', 'é\u00ad\u2028\U0010ffff\x7f'] }}
{{ 7 + 3 }} {{ 7 - 10 }} {{ 7 * 3 }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ (-8) ** 2 }} {{ 10 ** 18 }} {{ (-2) ** 63 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 6.0 // 2 }} {{ 0.0 // -3 }} {{ -4.0 % 2 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +true }} {{ 1 + 2.0 }} {{ - -3 }} {{ -n }} {{ +n }} {{ -pi }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 2 * 'ab' }} {{ 'x' * 0 }}{{ 'x' * -1 }}|{{ [1] + [2] }} {{ [0] * 3 }} {{ (1,) + (2,) }}
{{ 1 ~ 2 ~ none ~ 'x' ~ missing ~ [1] }}
{{ 1 + 2 ~ 3 * 4 ~ 5 }} {{ 'a' ~ 1 + 2 }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' == 'a' }} {{ [1, 2] == [1.0, 2] }} {{ (1,) == [1] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == false }} {{ missing == other }} {{ '1' == 1 }}
{{ 1 != 2 }} {{ 1 < 2 }} {{ 2 <= 2 }} {{ 3 > 4 }} {{ 3 >= 3.0 }} {{ 'abc' < 'abd' }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }} {{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }} {{ (1, 'a') < (1, 'b') }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1 == 1 }} {{ 3 > 2 >= 2 != 1 }}
{{ big == 9007199254740992.0 }} {{ big > 9007199254740992.0 }} {{ 9007199254740993 < 9007199254740992.0 }}
{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ '' in '' }} {{ 1 in [1, 2] }} {{ 3 not in list }} {{ 'a' in obj }} {{ 'z' in obj }} {{ 2 in (1, 2) }} {{ 1.0 in [1] }} {{ missing in [1] }} {{ 1 in missing }} {{ 2 in range(3) }}
{{ not true }} {{ not not 1 }} {{ not 'a' in 'b' }} {{ true and 'x' }} {{ '' or 'y' }} {{ 0 and 1/0 }} {{ 1 or 1/0 }} {{ none or false or 0 }} {{ missing or 'd' }} {{ true or false and false }} {{ not false and false }}
{{ 'a' if true else 'b' }} {{ 'a' if false else 'b' }} {{ 'a' if false }}| {{ 1 if 0 else 2 if 0 else 3 }} {{ ('x' if yes) ~ 'y' }} {{ 'p' if n > 5 and yes else 'q' }}
{{ obj.a }} {{ obj['b'] }} {{ obj.c.d[1] }} {{ obj['c']['d'].0 }} {{ obj.zzz }}| {{ obj['zzz'] }}| {{ obj.c.zzz is defined }}
{{ keys['items'] }} {{ keys.items()|list }} {{ keys['x y'] }} {{ keys['get'] }} {{ keys.get('x y') }} {{ keys.nope }}|
{{ list[0] }} {{ list[-1] }} {{ list[5] }}| {{ list['x'] }}| {{ text[0] }}{{ text[-1] }} {{ uni[2] }}{{ uni[-1] }} {{ list[true] }} {{ list.0 }} {{ nested[0][1] }}
{{ list[1:] }} {{ list[:1] }} {{ list[:-1] }} {{ list[::-1] }} {{ list[5:] }} {{ list[-2:] }} {{ list[::2] }} {{ list[2:0:-1] }} {{ list[:] }} {{ list[none:2] }} {{ list[-100:100] }} {{ list[::-5] }}
{{ text[4:9] }} {{ text[::-1] }} {{ uni[2:8] }} {{ uni[-3:] }} {{ text[100:] }}| {{ text[3:1] }}| {{ text[:3] ~ text[3:] == text }} {{ (1, 2, 3)[1:] }} {{ range(5)[1:3]|list }}
{{ text[9223372036854775807:] }}|{{ list[-9223372036854775807:] }} {{ list[::9223372036854775807] }} {{ list[::-9223372036854775807] }}
{{ missing.attribute }}
{{ missing['attribute'] }}
{{ obj.missing.attribute }}
{{ missing() }}
{{ missing + 1 }}
{{ missing < 1 }}
{{ -missing }}
{{ missing[1:] }}
{{ nothing.x }}|{{ nothing['x'] is undefined }} {{ n.x is undefined }} {{ text.x is undefined }}
{{ nothing.x.y }}
{{ nothing() }}
{{ name() }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' < 1 }}
{{ none < 1 }}
{{ [1] + (2,) }}
{{ {} + {} }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.0 // 0 }}
{{ 0 ** -1 }}
{{ -'a' }}
{{ +'a' }}
{{ 1 in 5 }}
{{ 1 in 'abc' }}
{{ [] in {} }}
{{ {[]: 1} }}
{{ list[::0] }}
{{ list['a':] }}
{{ n[0:1] }}
{{ name.__class__ }}|{{ name.__len__ is defined }}|{{ ''['__class__'] }}
{{ name.__class__.__mro__ }}
{{ list.append(4) }}
{{ obj.update({'x': 1}) }}
{{ obj.pop('a') }}
{{ list.append is defined }} {{ obj.update is defined }} {{ list.index is defined }}
{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ spaced.strip() }}|{{ '日x日'.strip('日') }}|{{ '\x1f\x85 a\x1c'.strip() }}|{{ ' a '.strip(none) }}|{{ 'éaé'.lstrip('é') }}|{{ 'éaé'.rstrip('é') }}
{{ 'a b  c '.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a b c d'.split(none, 2) }} {{ ' a b '.split(' ') }} {{ 'a\u3000b\nc'.split() }} {{ 'x--y--z'.split('--') }} {{ ' a  b  c '.split(maxsplit=1) }} {{ 'aaa'.split('aa') }} {{ 'a b'.split(none, 0) }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b c '.rsplit() }} {{ ' a b c '.rsplit(none, 1) }} {{ 'aaa'.rsplit('aa') }} {{ 'aXbXc'.rsplit('X') }} {{ 'äöü'.rsplit('ö') }}
{{ 'a'.split('') }}
{{ 'a\nb\r\nc\rd\x0be\x0cf\x1cg\x85h\u2028i\n'.splitlines() }} {{ 'a\nb\r\n'.splitlines(true) }} {{ ''.splitlines() }} {{ '\n'.splitlines() }}
{{ 'key=value=x'.partition('=') }} {{ 'key=value=x'.rpartition('=') }} {{ 'none'.partition('=') }} {{ 'none'.rpartition('=') }}
{{ text.startswith('The') }} {{ text.endswith('fox') }} {{ text.startswith(('A', 'The')) }} {{ text.endswith(()) }} {{ ''.startswith('') }} {{ text.startswith('the') }}
{{ text.startswith(1) }}
{{ text.upper() }} {{ text.lower() }} {{ "they're bill's friends 3rd-x".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ uni.upper() }} {{ uni.lower()[:5] }} {{ 'ǆ'.title() }} {{ 'äÖ'.capitalize() }}
{{ text.replace('quick', 'slow') }} {{ 'aaaa'.replace('a', 'b', 2) }} {{ 'abc'.replace('', '-') }} {{ 'abc'.replace('', '-', 2) }} {{ 'éa'.replace('', '.') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'x'.replace('y', 'z') }} {{ 'aXb'.replace('X', '') }} {{ ''.replace('', 'x') }} {{ 'a'.replace('a', 'b', 0) }}
{{ 'a'.replace('a') }}
{{ ', '.join(['a', 'b']) }} {{ ''.join([]) }}|{{ '-'.join('abc') }} {{ '+'.join(obj) }}
{{ ','.join([1]) }}
{{ 'banana'.find('an') }} {{ 'banana'.find('x') }} {{ 'banana'.rfind('an') }} {{ 'banana'.find('an', 2) }} {{ 'banana'.find('an', 2, 4) }} {{ 'äöü'.find('ü') }} {{ 'banana'.count('an') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'banana'.index('n') }} {{ 'banana'.find('a', -2) }} {{ 'abc'.find('', 3) }} {{ 'abc'.find('', 4) }} {{ 'éa'.count('') }} {{ 'banana'.count('a', 2, -1) }}
{{ 'a'.index('b') }}
{{ '123'.isdigit() }} {{ ''.isdigit() }} {{ '1a'.isdigit() }} {{ '٣'.isdigit() }} {{ ' \t\u3000'.isspace() }} {{ ''.isspace() }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'x'.removeprefix('y') }}
{{ obj.keys() }} {{ obj.values() }} {{ obj.items() }} {{ obj.keys()|list }} {{ obj.items()|length }} {{ {}.items() }}
{{ obj.get('a') }} {{ obj.get('z') }} {{ obj.get('z', 5) }} {{ obj.get('c').get('d') }} {{ obj.copy() == obj }}
{{ obj.get([]) }}
{{ obj.get() }}
{{ list.index(1) }} {{ list.count(2) }} {{ (1, 1).count(1) }} {{ list.copy() }}
{{ list.index(9) }}
{% set f = name.upper %}{{ f() }} {{ (name.lower)() }} {{ name['upper']() }} {{ obj['keys']()|list }}
{{ name.nope() }}
{{ name.upper(1) }}
{{ range(4) }} {{ range(4)|list }} {{ range(1, 4)|list }} {{ range(10, 0, -3)|list }} {{ range(0)|list }} {{ range(2, 8, 2) }} {{ range(3)|length }} {{ range(5)[2] }} {{ range(3)[-1] }} {{ range(-2)|list }}
{{ range(1000000)|length }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range() }}
{{ dict(a=1, b='x') }} {{ dict({'k': 1}, z=2) }} {{ dict([('a', 1), ['b', 2]]) }} {{ dict() }}
{{ namespace(a=1).a }} {{ namespace({'x': 2}).x }} {{ namespace(a=1, b='q') }} {{ namespace().zzz is undefined }}
{{ raise_exception('the very message: é') }}
{{ raise_exception(5) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %A %j %y %I %p %%') }}|{{ strftime_now('') }}|{{ strftime_now('plain') }}
{{ strftime_now is defined }} {{ raise_exception is defined }} {{ range is callable }} {{ nope is callable }} {{ name is callable }} {{ name.upper is callable }}
{{ name is defined }} {{ nope is defined }} {{ nope is undefined }} {{ nope is not defined }} {{ nothing is none }} {{ nothing is defined }} {{ obj.q is defined }} {{ obj.a is defined }}
{{ 'x' is string }} {{ 1 is string }} {{ 1 is number }} {{ 1.5 is number }} {{ true is number }} {{ '1' is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }}
{{ {} is mapping }} {{ [] is mapping }} {{ [] is sequence }} {{ '' is sequence }} {{ {} is sequence }} {{ 1 is sequence }} {{ [] is iterable }} {{ 'a' is iterable }} {{ 5 is iterable }} {{ none is iterable }} {{ {}.items() is sequence }} {{ {}.items() is iterable }} {{ [1]|map('upper') is iterable }} {{ [1]|map('upper') is sequence }} {{ nope is sequence }} {{ nope is iterable }} {{ nope is mapping }} {{ () is sequence }} {{ range(2) is sequence }} {{ namespace() is mapping }}
{{ true is boolean }} {{ 1 is boolean }} {{ true is true }} {{ false is false }} {{ 1 is true }} {{ none is false }} {{ false is not true }}
{{ 3 is odd }} {{ 4 is even }} {{ 4 is odd }} {{ 3.0 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ -3 is odd }}
{{ 'a' is odd }}
{{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 'a' is ne 'b' }} {{ 1 is lt 2 }} {{ 1 is gt(2) }} {{ 2 is ge 2 }} {{ 2 is le 1 }} {{ 1 is lessthan 2 }} {{ 1 is greaterthan 2 }} {{ 2 is in [1, 2] }} {{ 'x' is in 'abc' }} {{ 2 is not in [1, 2] }} {{ 'b' is in obj }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aBc' is lower }} {{ '123' is upper }} {{ none is sameas none }} {{ true is sameas true }} {{ obj is sameas obj }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ 'nope' is test }}
{{ 1 is defined and 2 is defined or x is defined }} {{ 'y' if nope is defined else 'n' }}
{{ nope is defined is false }}
{{ not nope is defined }} {{ 1 is not none and 1 }} {{ 1 + 1 is number }} {{ (1 + 1) is number }}
{{ 1 is nope }}
{{ 1 is eq }}
{{ 1 is defined(2) }}
{{ spaced|trim }}|{{ '  a b '|trim }}|{{ 'xax'|trim('x') }}|{{ 5|trim }}|{{ nope|trim }}|{{ none|trim }}
{{ text|length }} {{ list|length }} {{ obj|count }} {{ uni|length }} {{ nope|length }} {{ ''|length }} {{ range(3)|count }}
{{ 5|length }}
{{ none|length }}
{{ [1]|map('string')|length }}
{{ text|upper }} {{ text|lower }} {{ 'heLLo (wORLD) a-b [x] <y {z  it\'s'|title }} {{ 'hELLO wORLD'|capitalize }} {{ 5|upper }} {{ none|upper }} {{ nope|upper }}| {{ true|lower }}
{{ mixed|tojson }}
{{ obj|tojson }} {{ obj|tojson(indent=2) }}
{{ mixed|tojson(indent=4) }} {{ []|tojson(indent=2) }} {{ {}|tojson(indent=2) }} {{ [[]]|tojson(indent=1) }} {{ [1, 2]|tojson(indent=0) }} {{ [1]|tojson(indent='--') }}
{{ quotes|tojson }} {{ html|tojson }} {{ uni|tojson }} {{ uni|tojson(ensure_ascii=true) }} {{ '\x7f\x1f/\u2028'|tojson }} {{ '\x7f\xff'|tojson(true) }}
{{ obj|tojson(sort_keys=true) }} {{ obj|tojson(separators=(',', ':')) }} {{ [1, {'a': 2}]|tojson(separators=(' ; ', ' = '), indent=1) }}
{{ floats|tojson }} {{ (1, 2)|tojson }} {{ true|tojson }} {{ none|tojson }} {{ 'x'|tojson }} {{ 5|tojson }} {{ {1: 1, none: 2, true: 3, 1.5: 4}|tojson }}
{{ nope|tojson }}
{{ [nope]|tojson }}
{{ {(1, 2): 3}|tojson }}
{{ {'a': 1, 1: 2}|tojson(sort_keys=true) }}
{{ range(3)|tojson }}
{{ list|join }} {{ list|join(', ') }} {{ 'abc'|join('-') }} {{ people|join('/', attribute='name') }} {{ []|join('x') }}| {{ obj|join }} {{ mixed|join('|') }} {{ list|join(1) }} {{ nope|join }}| {{ list|join(d='.') }}
{{ 5|join }}
{{ list|first }} {{ list|last }} {{ text|first }}{{ text|last }} {{ []|first }}| {{ []|last }}| {{ obj|first }} {{ obj|last }} {{ list|map('string')|first }} {{ (1, 2)|last }} {{ ''|first }}| {{ nope|first }}|
{{ [1]|map('string')|last }}
{{ nope|last }}
{{ 5|first }}
{{ nope|default('d') }} {{ nope|d }}| {{ ''|default('d') }}| {{ ''|default('d', true) }} {{ none|default('d') }} {{ none|d('x', boolean=true) }} {{ obj.q|default('z') }} {{ 0|default(5, true) }} {{ nope|default }}| {{ nope|default(default_value=3) }}
{{ nope.x|default('d') }}
{{ text|replace('quick', 'slow') }} {{ 'aaa'|replace('a', 'b', 2) }} {{ 111|replace(1, 2) }} {{ 'a'|replace('a', none) }} {{ 'aaa'|replace('a', 'b', count=1) }}
{{ 'abc'|list }} {{ obj|list }} {{ (1, 2)|list }} {{ nope|list }} {{ obj.items()|list }}
{{ 5|list }}
{{ 5|string }} {{ none|string }} {{ [1]|string }} {{ (5|string) + 'x' }} {{ nope|string }}| {{ pi|string|length }}
{{ '42'|int }} {{ '3.9'|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ 3.9|int }} {{ -3.9|int }} {{ true|int }} {{ none|int }} {{ '0x1A'|int(base=16) }} {{ '1A'|int(0, 16) }} {{ '0b11'|int(0, 2) }} {{ ' 12 '|int }} {{ '1_000'|int }} {{ ''|int }} {{ '-5'|int }} {{ '+5'|int }} {{ [1]|int(3) }} {{ '1e3'|int }} {{ 'inf'|int }} {{ 'nan'|int(9) }} {{ '0o17'|int(base=8) }} {{ '12'|int(base=3) }} {{ '__1'|int }} {{ '007'|int }} {{ '0x10'|int(base=0) }}
{{ nope|int }}
{{ 1e400|int }}
{{ '3.5'|float }} {{ 'x'|float }} {{ 'x'|float(1.5) }} {{ 2|float }} {{ 'inf'|float }} {{ '-inf'|float }} {{ 'nan'|float }} {{ ' 1e3 '|float }} {{ '1_0.5'|float }} {{ none|float }} {{ '.5'|float }} {{ '5.'|float }} {{ '0x10'|float }} {{ '1e400'|float }} {{ '1e-400'|float }} {{ 'Infinity'|float }}
{{ -5|abs }} {{ (-5)|abs }} {{ (-2.5)|abs }} {{ true|abs }} {{ n|abs }}
{{ 'a'|abs }}
{{ 42.55|round }} {{ 42.55|round(1) }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(1, 'ceil') }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42|round }} {{ -1.5|round }} {{ 42|round(0, 'floor') }} {{ 1e20|round }} {{ 0.5|round|int }} {{ 7|round(method='ceil') }}
{{ 1.5|round(0, 'nope') }}
{{ 'a'|round }}
{{ list|reverse|list }} {{ 'abc'|reverse }} {{ uni|reverse }} {{ obj|reverse|list }} {{ range(3)|reverse|list }} {{ list|map('string')|reverse|join }} {{ nope|reverse|list }}
{{ 5|reverse }}
{{ list|sort }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ list|sort(reverse=true) }} {{ words|sort(true) }} {{ 'banana'|sort|join }} {{ obj|sort }} {{ people[:3]|sort(attribute='age')|map(attribute='name')|list }} {{ people[:3]|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }} {{ [[2, 1], [1, 2]]|sort(attribute=1) }} {{ [2.5, 1, true]|sort }} {{ [(1, 'b'), (1, 'a')]|sort }}
{{ [1, 'a']|sort }}
{{ [none, 1]|sort }}
{{ [{}, {}]|sort }}
{{ words|unique|list }} {{ words|unique(case_sensitive=true)|list }} {{ [1, 1.0, true, '1']|unique|list }} {{ people|unique(attribute='age')|map(attribute='name')|list }} {{ 'aAbB'|unique|join }}
{{ [[1]]|unique|list }}
{{ list|min }} {{ list|max }} {{ words|min }} {{ words|max }} {{ []|min }}| {{ people|max(attribute='age') }} {{ people|min(attribute='age') }} {{ words|max(case_sensitive=true) }} {{ 'hello'|max }}
{{ [1, 'a']|min }}
{{ list|sum }} {{ [1.5, 2]|sum }} {{ []|sum }} {{ people|sum(attribute='age') }} {{ list|sum(start=10) }} {{ nested|sum(start=[]) }}
{{ words|sum }}
{{ words|sum(start='') }}
{{ people|map(attribute='name')|list }} {{ people|map(attribute='tags.0', default='-')|list }} {{ words|map('upper')|list }} {{ list|map('string')|join('+') }} {{ ['a ', ' b']|map('trim')|list }} {{ people|map(attribute='zzz')|list|length }} {{ words|map('replace', 'p', 'P')|join(',') }} {{ nested|map('length')|list }} {{ nested|map('join', '-')|list }} {{ [[1, 2], [3, 4]]|map(attribute=1)|list }} {{ words|map('default', 'x')|first }} {{ nested|map('map', 'string')|map('list')|list }}
{{ people|map(attribute='a.b')|list }}
{{ words|map('nope')|list }}
{{ words|map|list }}
{{ words|map(attribute='x', nope=1)|list }}
{{ people|selectattr('age', 'equalto', 30)|map(attribute='name')|list }} {{ people|selectattr('tags')|list|length }} {{ people|rejectattr('name')|list }} {{ people|selectattr('name', 'none')|list|length }} {{ people|selectattr('age', '>', 20)|rejectattr('name', 'in', ['bob'])|map(attribute='name')|join(',') }} {{ people|selectattr('tags', 'defined')|list|length }} {{ people|rejectattr('tags', 'undefined')|list|length }} {{ [message]|selectattr('role', 'eq', 'user')|first }}
{{ people|selectattr|list }}
{{ list|select('odd')|list }} {{ list|reject('odd')|list }} {{ mixed|select('string')|list }} {{ mixed|reject('none')|list|length }} {{ [0, 1, '', 'a']|select|list }} {{ [0, 1]|reject|list }} {{ list|select('gt', 1)|list }} {{ list|select('divisibleby', 2)|list }} {{ list|select('in', [1, 2])|list }} {{ nope|select('odd')|list }}
{{ list|select('nope')|list }}
{{ none|selectattr('x')|list }} {{ none|map('upper')|list }} {{ 0|select|list }} {{ false|rejectattr('x', 'eq', 1)|list }}
{{ obj|items|list }} {{ nope|items|list }} {{ obj|dictsort }} {{ {'b': 1, 'A': 3, 'c': 2}|dictsort }} {{ {'b': 1, 'A': 3, 'c': 2}|dictsort(true) }} {{ {'b': 1, 'A': 3, 'c': 2}|dictsort(false, 'value') }} {{ {'b': 1, 'A': 3}|dictsort(reverse=true) }} {{ {'b': 1, 'A': 3}|dictsort(by='value', reverse=true) }}
{{ list|items|list }}
{{ {'a': 1}|dictsort(by='x') }}
{{ list|dictsort }}
{{ multi|indent }}|{{ multi|indent(2) }}|{{ multi|indent(2, true) }}|{{ multi|indent(1, blank=true) }}|{{ 'a\nb'|indent('> ', first=true) }}|{{ ''|indent }}|{{ 'x'|indent(first=true) }}|{{ 'a\n\nb\n'|indent(width=3) }}|{{ '\n'|indent(2, true, true) }}|{{ 'a\nb'|indent(-1) }}
{{ 5|indent }}
{{ html|safe }} {{ html|e }} {{ html|escape }} {{ 5|e }} {{ none|safe }}
{{ list|batch(2)|list }} {{ list|batch(2, 'x')|list }} {{ []|batch(3)|list }} {{ range(7)|batch(3)|map('list')|list }}
{{ name|attr('upper') is defined }} {{ obj|attr('a') is defined }} {{ name|attr('nope') is undefined }}
{{ words | map('lower') | unique | sort | join(',') }} {{ 'a,b'.split(',')|map('upper')|join }} {{ (list|sort)[0] }} {{ list|sort|first + 1 }}
{{ -list|first }}
{{ 1|nope }}
{{ 'a'|upper(1) }}
{{ 'a'|replace('b') }}
{{ list|join(nope=1) }}
{{ list|join(',', d=';') }}
{{ 'a' 'b' | upper }} {{ ('a' ~ 'b')|upper }} {{ 'a' ~ 'b'|upper }} {{ 1 + 2|string|length }} {{ not ''|length }} {{ 'a'|upper == 'A' }} {{ 2 * 3|string }}
{% set m = words|map('upper') %}{{ m|join(',') }}/{{ m|join(',') }}/{{ m is iterable }}
{% set m = words|map('upper') %}{{ m|first }} {{ m|first }} {{ m|list }} {{ m|list }}
{% set m = words|select %}{{ 'fig' in m }} {{ m|list }}
{{ (words|map('upper'))[0] is undefined }} {{ words|map('upper') and 'truthy' }} {{ [] |map('upper') and 'truthy' }} {{ {}.items() and 1 }}|{{ range(0) and 1 }}
{% if yes %}A{% endif %}{% if no %}B{% else %}C{% endif %}{% if no %}D{% elif yes %}E{% else %}F{% endif %}{% if no %}x{% elif no %}y{% endif %}|
{% if nope %}x{% else %}undefined{% endif %} {% if '' or [] or {} or 0 or 0.0 or none or () %}x{% else %}falsy{% endif %} {% if ' ' and [0] and {'a': 0} and -1 %}truthy{% endif %}
{% if a is defined %}{{ a }}{% elif name is defined and name %}{{ name }}{% endif %} {% if (1, 0) %}t{% endif %}{% if 1, %}u{% endif %}
{% for x in list %}{{ x }},{% endfor %}|{% for x in [] %}x{% else %}none{% endfor %}|{% for c in 'aé日' %}<{{ c }}>{% endfor %}|{% for k in obj %}{{ k }}{% endfor %}|{% for k, v in obj.items() %}{{ k }}={{ v }};{% endfor %}|{% for x in nope %}x{% else %}empty{% endfor %}
{% for x in list %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.first }}/{{ loop.last }}/{{ loop.length }}/{{ loop.previtem }}/{{ loop.nextitem }}/{{ loop.depth }};{% endfor %}
{% for x in list if x > 1 %}{{ loop.index }}:{{ x }}:{{ loop.length }}:{{ loop.last }} {% else %}no{% endfor %}|{% for x in list if x > 5 %}{{ x }}{% else %}no{% endfor %}
{% set ns = namespace(stop=false) %}{% for x in [1, 2, 3, 4] if not ns.stop %}{{ x }}{% if x == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% for x in range(10) if x is odd %}{% if x == 7 %}{% break %}{% endif %}{% if x == 3 %}{% continue %}{% endif %}{{ x }}{% endfor %}|{% for x in [1] %}{% break %}{% else %}e{% endfor %}
{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% continue %}{% endif %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}
{% for i in [1, 2] %}{% for j in 'ab' %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in [1, 2] %}{% set outer = loop %}{% for j in 'ab' %}{{ outer.index }}.{{ loop.index }} {% endfor %}{% endfor %}
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }} {% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %} {% for a, b in ['xy'] %}{{ b }}{{ a }}{% endfor %} {% for (a, b) in [(5, 6)] %}{{ a }}{{ b }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for a, b in [1] %}{{ a }}{% endfor %}
{% for x in 5 %}{{ x }}{% endfor %}
{% for x in none %}{{ x }}{% endfor %}
{% for x in 1, 2, 3 %}{{ x }}{% endfor %} {% for x in list|sort %}{{ x }}{% endfor %} {% for x in (list if yes else []) %}{{ x }}{% endfor %} {% for k, v in obj|dictsort %}{{ k }}{% endfor %} {% for x in range(3, 0, -1) %}{{ x }}{% endfor %} {% for x in list[::-1] %}{{ x }}{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.cycle('odd', 'even') }} {% endfor %}{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}
{% for x in [1, 2] %}{{ loop.nope is defined }}{{ loop['index'] }}{{ loop is defined }}{% endfor %}{{ loop is defined }}
{% set x = 'outer' %}{% for x in [1, 2] %}{{ x }}{% endfor %}{{ x }}|{% set y = 0 %}{% for i in [1, 2] %}{{ y }}{% set y = i %}{{ y }}{% endfor %}{{ y }}|{% if true %}{% set z = 1 %}{% endif %}{{ z }}
{% for i in [1, 2] %}{% if loop.first %}{% set seen = 'f' %}{% endif %}{{ seen }}{% endfor %}|{{ seen is defined }}
{% set ns = namespace(total=0, found=false) %}{% for x in list %}{% set ns.total = ns.total + x %}{% set ns.found = true %}{% endfor %}{{ ns.total }} {{ ns.found }} {{ ns['total'] }} {% set ns.new = [ns.total] %}{{ ns.new }}
{% set obj.a = 5 %}
{% set nope.a = 5 %}
{% set x = 5 %}{% set x.y = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set a, b = b, a %}{{ a }}{{ b }} {% set t = 1, 2 %}{{ t }} {% set (p, q) = 'xy' %}{{ p }}{{ q }}
{% set c, = [9] %}{{ c }}
{% set a, b = [1] %}
{% set name = name + '!' %}{{ name }} {% set n = n + 1 %}{{ n }}
{% set x %}in {{ name }}{% endset %}{{ x|upper }} {% set x | upper | replace('L', 'r') %}hello {{ n }}{% endset %}{{ x }} {% set ns = namespace() %}{% set ns.b %}blk{% endset %}{{ ns.b }}
{% set x %}{% set inner = 1 %}{{ inner }}{% endset %}{{ x }}{{ inner is defined }}
{% macro m(a, b='d', c=none) %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=2, a=1) }}{{ m() }}{{ m(*[1, 2]) }}{{ m(**{'a': 5}) }}{{ m(1, *[2], **{'c': 3}) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(1, a=2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }} {% macro k(a) %}{{ a }}{{ kwargs }}{% endmacro %}{{ k(1, z=2) }}
{% macro m(a, b=a + 1) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(5, 0) }}
{% macro m() %}{{ name }}{{ later }}{% endmacro %}{% set later = 'L' %}{{ m() }}{% macro f(x) %}{{ x if x < 1 else x ~ f(x - 1) }}{% endmacro %}{{ f(3) }}
{% macro m() %}{% set inside = 1 %}{{ inside }}{% endmacro %}{{ m() }}{{ inside is defined }} {{ m.name }} {{ m is callable }} {{ m() is string }}
{% for i in [1, 2] %}{% macro m() %}<{{ i }}>{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}
{% macro m(a) %}{{ a|upper }}{{ caller() }}{% endmacro %}{% call m('x') %}body {{ name }}{% endcall %}|{% macro l(xs) %}{% for x in xs %}{{ caller(x, n=loop.index) }}{% endfor %}{% endmacro %}{% call(x, n=0) l(list) %}<{{ n }}:{{ x }}>{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% call name %}x{% endcall %}
{% filter upper %}abc {{ name }}{% endfilter %} {% filter replace('a', 'b')|upper %}banana{% endfilter %}{% filter trim %}  {% set q = 1 %}x {% endfilter %}{{ q is defined }}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}{% with %}{% set w = 1 %}{{ w }}{% endwith %}{{ w is defined }} {% with a, b = (1, 2) %}x{% endwith %}
{% generation %}made {{ name }}{% set g = 1 %}{% endgeneration %}{{ g is defined }}
{# comment #}a{# {{ not }} {% parsed %} #}b{#- strip -#} c {#- left #} d {# right -#} e
{% raw %}{{ raw }} {% if %} {# x #}{% endraw %} {%- raw -%}  x  {%- endraw -%}  y
{{ '{{' }} {{ '%}' }} {{ "}}" }} {{ {'a': {'b': 1}}['a']['b'] }} {{ {}}}|{ {% if true %}}{% endif %} {}} %} #}
a {{- ' b ' -}} c {%- if true -%} d {%- endif -%} e {{ 'f' }} g
  {%- set x = 1 -%}  {{ x }}
{{ 1 -}}   {{- 2 }} {{ 3 }}
{{ name -1 }}
{{ n -1 }} {{ n-1 }} {{ n - 1 }} {{ n -(1) }}
{% if true +%} x {% endif +%} y {%+ if true %} z {%+ endif %}
{%- for x in [1, 2] -%} {{ x }} {%- endfor -%}
{{ [1, 2, 3] | map("string") | join(", ") }}
{{ message.content if message.content is string else message.content[0].text }}
{{ message['role'] + ': ' + message['content']|trim + '\n' }}
{{ 'a'.b.c }}
{{ ('%s' ~ 1) }} {{ 'é' == 'e\u0301' }} {{ '\u0041' == 'A' }} {{ "a\
b" }}
{{ "unclosed }}
{{ 1 + }}
{{ (1 }}
{{ [1 }}
{{ 1) }}
{{ }}
{{ 1 2 }}
{{ $ }}
{{ a.1b }}
{{ 007 }}
{{ '\x4' }}
{{ '\u12' }}
{{ x|}}
{{ x is }}
{{ 1 if }}
{{ {1} }}
{{ f(a=1, 2) }}
{{ f(**a, b) }}
{{ f(*a, *b) }}
{{ x y }}
{{ x
{% if true
{% if true %}
{% if true %}{% endfor %}
{% if %}{% endif %}
{% for %}{% endfor %}
{% for x of y %}{% endfor %}
{% for x in y %}
{% for x.y in z %}{% endfor %}
{% for true in z %}{% endfor %}
{% endif %}
{% else %}
{% nope %}
{% set %}
{% set 1 = 2 %}
{% set x = %}
{% set x == 1 %}
{% set x %}
{% macro %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(1) %}{% endmacro %}
{% macro m() %}
{% call %}{% endcall %}
{% break %}
{% for x in list %}{% endfor %}{% continue %}
{% for x in list %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% filter %}{% endfilter %}
{% raw %} open
{# open
{% if true %}{% else %}{% else %}{% endif %}
{% if true: %}colon{% endif %} {% for x in list: %}{{ x }}{% endfor %}
{% include 'x' %}
{% 5 %}
{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }} {{ 9223372036854775807 // -1 }} {{ (-9223372036854775807 - 1) % -1 }}
{{ [1, 2, 3]|length > 2 and 'long' or 'short' }} {{ (yes and not no)|string|lower }}
{{ uni[:5]|title }} {{ 'straße'|upper|length > 5 }} {{ 'É'|lower }} {{ 'я'|upper }} {{ 'ÿ'|upper }}
{{ nested|map('first')|map('default', 'none')|list }} {{ nested|selectattr(0)|list }} {{ nested|map(attribute=0, default='z')|join(',') }}
{{ message.items()|map('first')|join(' ') }} {% for k, v in message|items %}{{ k }}{% endfor %} {{ message.keys()|join }} {{ message.values()|first }}
{{ people|map(attribute='name')|select|map('upper')|join(' ') }} {{ people|map(attribute='age')|sum / people|length }}
{{ (people|selectattr('name', 'equalto', 'zed')|list|first) is undefined }} {{ (people|selectattr('name', 'equalto', 'Ann')|first).age }}
{{ text.split()|map('first')|join|upper }} {{ text.split(' ')[1:]|join('_') }} {{ (text.split() | length) ~ ' words' }} {{ text.split(' ')[-1].upper()[::-1] }}
"""

# Whole templates of several lines: what white space the tags leave.
BLOCKS = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n\n",
    "a\n  {%+ if true %}\n  b\n  {%+ endif %}\nc",
    "a\n  {%- if true %}\n  b\n  {%- endif %}\nc",
    "a\n  {% if true -%}\n  b\n  {% endif -%}\nc",
    "a  {% if true %}  b  {% endif %}  c",
    "  {% if true %}x{% endif %}  \n  {{ 1 }}  \n  {# c #}  \n {# d #}\ny",
    "{% for x in [1, 2] %}\n  {{ x }}\n{% endfor %}\nend\n",
    "{% for x in [1, 2] %}\n{{ x }}{% if not loop.last %},{% endif %}\n\n{% endfor %}",
    "{{ 1 }}\n{{ 2 }}\n",
    "{{ 1 }}\n\n",
    "\n\n{{ 1 }}\n\n\n",
    "a\r\nb\rc\n{% if true %}\r\nd\r\n{% endif %}\r\n",
    "\t{% set x = 1 %}\n\t\t{{ x }}\n  \t {% set y = 2 %}  {% set z = 3 %}\n{{ y + z }}",
    "{% set x = 1 %}   {% set y = 2 %}\n   {% set z = 3 %}.",
    "x {%- raw %} a {{ b }} {% endraw -%} y\n{% raw %}\n c \n {% endraw %}\nd",
    "  {% raw %} a{% endraw +%}\nb\n  {%- raw -%} \n c \n{%- endraw %}\n",
    "{#- a -#}\n{# b #}\n  {# c #} x\n{#+ d +#}\n y",
    "a{# multi\nline\n#}\nb\n{{ 'x\ny' }}",
    "{%- if true -%}\n\n  a\n\n{%- endif -%}\n\n  b  \n",
    "{%\n  set x = [\n    1,\n    2\n  ]\n%}\n{{\n  x\n}}\n",
    "{%- macro m(x) %}\n  <{{ x }}>\n{%- endmacro %}\n{{ m(1) }}\n{{- m(2) }}\n",
    "{%- macro m(x) -%}\n  <{{ x }}>\n{%- endmacro -%}\n\n{{ m(1) }} {{ m(2) -}}\n\n.",
    "{% set t %}\n  a\n  {% if true %}\n  b\n  {% endif %}\n{% endset %}\n[{{ t }}]",
    "{% generation %}\nx\n{% endgeneration %}\ny",
    "a\u00a0\n\u3000{%- if true %} b \u2003{%- endif %}\u2003\n\u2003{% if true %}c{% endif %}",
    "{% if true %}{# c #}\n{% endif %}\n{{ '' }}\n{% if false %}\n{% endif %}z",
    "{{- 1 -}}\n\n{{- 2 -}}\n  3  \n{%- if true %}4{% endif -%}\n5",
    "", "\n", "\n\n", " ", "{", "{ {", "a { b } c % d # e", "}}", "%}", "{{ 1 }", "{% raw %}{% endraw", "{{{ 1 }}}", "{{'a'}}}", "{%if true%}x{%endif%}",
    "{{ a }}{{ b }}{{ c", "{% if 1 %}\n{% elif 2 %}\n{% else %}\n{% endif %}end",
    "{% for m in people %}\n    {%- if m.name %}\n        {{- '<' + m.name + '>\\n' }}\n    {%- elif loop.last %}\n        {{- 'last' }}\n    {%- endif %}\n{%- endfor %}\n",
    "{% set ns = namespace(x='') %}{% for w in words %}{% set ns.x = ns.x ~ w[0] %}{% endfor %}\n{{ ns.x }}\n",
    "{%- set ns = namespace(a=[]) -%}\n{%- for p in people if p.age > 20 -%}\n{%- set ns.a = ns.a + [p.name] -%}\n{%- endfor -%}\n{{ ns.a | join(' & ') }}",
    "{%- macro render(d, depth=0) -%}\n{%- if d is mapping -%}\n{%- for k, v in d.items() %}\n{{ '  ' * depth }}{{ k }}:{{ render(v, depth + 1) }}\n{%- endfor -%}\n{%- elif d is iterable and d is not string -%}\n{%- for v in d %}\n{{ '  ' * depth }}- {{ v }}\n{%- endfor -%}\n{%- else %} {{ d }}\n{%- endif -%}\n{%- endmacro -%}\n{{ render(obj) }}",
]

# A line that ends in "\" goes on in the next.
_LINES = PLAIN.strip("\n").replace("\\\n", "\0").split("\n")
SNIPPETS = [line.replace("\0", "\\\n") for line in _LINES] + BLOCKS
