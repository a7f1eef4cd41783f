"""Replies as models give them, with the reading that is expected. Data only.

The tools are `search(query: str, limit: int = 5)`, `add(a: int, b: int)` and `now()`. Each row is the reply, the
expected text, and the expected calls: `name:arguments` for a valid one, `!name` for an invalid one. A row with an
invalid call or with `!` alone is asked for again.
"""

S = '{"name": "search", "arguments": {"query": "rivers"}}'
A = '{"name": "add", "arguments": {"a": 1, "b": 2}}'
N = '{"name": "now", "arguments": {}}'
SEARCH, ADD, NOW = 'search:{"query": "rivers"}', 'add:{"a": 1, "b": 2}', "now:{}"


def call(inner: str) -> str:
    return f"<tool_call>{inner}</tool_call>"


REPLIES: list[tuple[str, str, list[str]]] = [
    # plain text
    ("Hello.", "Hello.", []),
    ("Hello.\n", "Hello.\n", []),
    ("  padded  ", "  padded  ", []),
    ("a < b and c > d", "a < b and c > d", []),
    ("Use <b>bold</b>.", "Use <b>bold</b>.", []),
    ("The tag <tool_calls> is something else.", "The tag <tool_calls> is something else.", []),
    ("A <tool_response> block holds a result.", "A <tool_response> block holds a result.", []),
    ("```python\nprint(1)\n```", "```python\nprint(1)\n```", []),
    ('{"name": "Ada", "age": 36}', '{"name": "Ada", "age": 36}', []),
    ("&lt;tool_call>" + S + "&lt;/tool_call>", "&lt;tool_call>" + S + "&lt;/tool_call>", []),
    ("[tool_call]" + S + "[/tool_call]", "[tool_call]" + S + "[/tool_call]", []),
    ("1 <2 <3", "1 <2 <3", []),
    ("ends with <", "ends with <", []),
    ("ends with <tool_cal", "ends with <tool_cal", []),
    # one call
    (call(S), "", [SEARCH]),
    (call(A), "", [ADD]),
    (call(N), "", [NOW]),
    (call('{"name": "now"}'), "", [NOW]),
    (call('{"name": "now", "arguments": null}'), "", [NOW]),
    (call('{"name": "now", "arguments": ""}'), "", [NOW]),
    (call('{"arguments": {"query": "rivers"}, "name": "search"}'), "", [SEARCH]),
    (call('{"id": "x", "name": "search", "arguments": {"query": "rivers"}}'), "", [SEARCH]),
    ("\n\n" + call(S) + "\n\n", "", [SEARCH]),
    (call("\n" + S + "\n"), "", [SEARCH]),
    (call('\n{\n  "name": "search",\n  "arguments": {\n    "query": "rivers"\n  }\n}\n'), "", [SEARCH]),
    ("<tool_call>\t" + S + "\t</tool_call>", "", [SEARCH]),
    ("<TOOL_CALL>" + S + "</TOOL_CALL>", "", [SEARCH]),
    ("<tool_call >" + S + "</tool_call >", "", [SEARCH]),
    ("< tool_call>" + S + "</ tool_call>", "", [SEARCH]),
    ("<tool_call>" + S, "", [SEARCH]),
    ("<tool_call>" + S + "\n", "", [SEARCH]),
    # text around it
    ("Let me look. " + call(S), "Let me look.", [SEARCH]),
    ("Let me look.\n\n" + call(S), "Let me look.", [SEARCH]),
    (call(S) + "\nOne moment.", "One moment.", [SEARCH]),
    ("First.\n" + call(S) + "\nLast.", "First.\nLast.", [SEARCH]),
    ("  indented\n" + call(S), "  indented", [SEARCH]),
    ("Grüße 世界 " + call(S), "Grüße 世界", [SEARCH]),
    ("Is 1 < 2? " + call(S), "Is 1 < 2?", [SEARCH]),
    # fences
    ("```\n" + call(S) + "\n```", "", [SEARCH]),
    ("```json\n" + call(S) + "\n```", "", [SEARCH]),
    ("```xml\n" + call(S) + "\n```\n", "", [SEARCH]),
    ("Let me look.\n```json\n" + call(S) + "\n```", "Let me look.", [SEARCH]),
    ("Let me look.\n```json\n" + call(S) + "\n```\nDone.", "Let me look.\nDone.", [SEARCH]),
    ("<tool_call>\n```json\n" + S + "\n```\n</tool_call>", "", [SEARCH]),
    ("<tool_call>```" + S + "```</tool_call>", "", [SEARCH]),
    ("```\n" + call(S) + "\n" + call(A) + "\n```", "", [SEARCH, ADD]),
    ("```python\nprint(1)\n```\n" + call(S), "```python\nprint(1)\n```", [SEARCH]),
    ("~ " + call(S), "~", [SEARCH]),
    ("`" + call(S) + "`", "", [SEARCH]),
    # several
    (call(S) + call(A), "", [SEARCH, ADD]),
    (call(S) + "\n" + call(A), "", [SEARCH, ADD]),
    (call(S) + " and " + call(A), "and", [SEARCH, ADD]),
    ("One:\n" + call(S) + "\nTwo:\n" + call(A) + "\nThree.", "One:\nTwo:\nThree.", [SEARCH, ADD]),
    (call(S + "\n" + A), "", [SEARCH, ADD]),
    (call(S + ", " + A), "", [SEARCH, ADD]),
    (call("[" + S + ", " + A + "]"), "", [SEARCH, ADD]),
    ("<tool_call>" + S + "<tool_call>" + A, "", [SEARCH, ADD]),
    ("<tool_call>" + S + "\n<tool_call>" + A + "</tool_call>", "", [SEARCH, ADD]),
    (call(S) * 3, "", [SEARCH] * 3),
    # arguments
    (call('{"name": "search", "arguments": "{\\"query\\": \\"rivers\\"}"}'), "", [SEARCH]),
    (call('{"name": "add", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}'), "", [ADD]),
    (call('{"name": "search", "arguments": {"query": "two\nlines"}}'), "", ['search:{"query": "two\\nlines"}']),
    (call('{"name": "search", "arguments": {"query": "Zürich 🏔"}}'), "", ['search:{"query": "Zürich 🏔"}']),
    (call('{"name": "search", "arguments": {"query": "\\u00fc"}}'), "", ['search:{"query": "ü"}']),
    (call('{"name": "search", "arguments": {"query": "</tool_call>"}}'), "", ['search:{"query": "</tool_call>"}']),
    (call('{"name": "search", "arguments": {"query": "<tool_call>"}}'), "", ['search:{"query": "<tool_call>"}']),
    (call('{"name": "search", "arguments": {"query": "```"}}'), "", ['search:{"query": "```"}']),
    (call('{"name": "search", "arguments": {"query": "a \\"b\\" }"}}'), "", ['search:{"query": "a \\"b\\" }"}']),
    (call('{"name": "search", "arguments": {"query": "x", "limit": 3}}'), "", ['search:{"query": "x", "limit": 3}']),
    (call('{"name": "search", "arguments": {"query": ""}}'), "", ['search:{"query": ""}']),
    # reasoning and quotes are no calls
    ("<think>" + call(S) + "</think>Hello.", "<think>" + call(S) + "</think>Hello.", []),
    ("<think>Shall I?</think>" + call(S), "<think>Shall I?</think>", [SEARCH]),
    ("<think>Shall I?</think>\n\n" + call(S), "<think>Shall I?</think>", [SEARCH]),
    ("<thinking>" + call(A) + "</thinking>\n" + call(S), "<thinking>" + call(A) + "</thinking>", [SEARCH]),
    ("<think>never closed " + call(S), "<think>never closed " + call(S), []),
    ("Write `" + call(S) + "` to search.", "Write `" + call(S) + "` to search.", []),
    ("The tag `<tool_call>` begins a call.", "The tag `<tool_call>` begins a call.", []),
    ("The tag <think> is known. " + call(S), "The tag <think> is known.", [SEARCH]),
    # invented results
    (call(S) + "\n<tool_response>Rhine</tool_response>\nIt is the Rhine.", "", [SEARCH]),
    ("Look: " + call(S) + "<tool_response>Rhine</tool_response>", "Look:", [SEARCH]),
    (call(S) + "<tool_response>1</tool_response>" + call(A), "", [SEARCH]),
    # what does not fit
    ("<tool_call>", "", ["!unnamed"]),
    ("<tool_call></tool_call>", "", ["!unnamed"]),
    (call("search"), "", ["!unnamed"]),
    (call("search(query='rivers')"), "", ["!unnamed"]),
    (call("{}"), "", ["!unnamed"]),
    (call("[]"), "", ["!unnamed"]),
    (call('{"name": "", "arguments": {}}'), "", ["!unnamed"]),
    (call('{"name": 7, "arguments": {}}'), "", ["!unnamed"]),
    (call('{"tool": "search", "args": {"query": "x"}}'), "", ["!unnamed"]),
    (call("{'name': 'search', 'arguments': {'query': 'x'}}"), "", ["!unnamed"]),
    (call('{"name": "search", "arguments": {"query": "rivers"}'), "", ["!unnamed"]),
    (call(S + "}"), "", ["!unnamed"]),
    (call(S + " Thanks!"), "", ["!unnamed"]),
    ("<tool_call>" + S[:-9], "", ["!unnamed"]),
    ('<tool_call>{"name": "search", "arguments": {"query": "riv', "", ["!unnamed"]),
    (call('{"name": "Search", "arguments": {"query": "x"}}'), "", ["!Search"]),
    (call('{"name": "delete_everything", "arguments": {}}'), "", ["!delete_everything"]),
    (call('{"name": "functions.search", "arguments": {"query": "x"}}'), "", ["!functions.search"]),
    (call('{"name": "search", "arguments": {}}'), "", ["!search"]),
    (call('{"name": "search"}'), "", ["!search"]),
    (call('{"name": "search", "parameters": {"query": "rivers"}}'), "", ["!search"]),
    (call('{"name": "search", "arguments": {"q": "rivers"}}'), "", ["!search"]),
    (call('{"name": "search", "arguments": {"query": 7}}'), "", ["!search"]),
    (call('{"name": "search", "arguments": {"query": null}}'), "", ["!search"]),
    (call('{"name": "search", "arguments": ["rivers"]}'), "", ["!search"]),
    (call('{"name": "search", "arguments": "rivers"}'), "", ["!search"]),
    (call('{"name": "add", "arguments": {"a": "1", "b": 2}}'), "", ["!add"]),
    (call('{"name": "add", "arguments": {"a": 1.5, "b": 2}}'), "", ["!add"]),
    (call('{"name": "add", "arguments": {"a": true, "b": 2}}'), "", ["!add"]),
    (call('{"name": "add", "arguments": {"a": 1}}'), "", ["!add"]),
    (call(S) + call('{"name": "add", "arguments": {"a": 1}}'), "", [SEARCH, "!add"]),
    (call('{"name": "add", "arguments": {"a": 1}}') + call(S), "", [SEARCH, "!add"]),
    (S, S, ["!"]),
    ("```json\n" + S + "\n```", "```json\n" + S + "\n```", ["!"]),
]
