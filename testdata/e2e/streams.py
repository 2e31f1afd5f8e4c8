"""
Streams as the OpenAI client reads them: the content whole, a usage only for
whoever asked for it, and the usage on the books either way.
"""

import sys

import requests
from openai import OpenAI

base_url = sys.argv[1]
client = OpenAI(api_key="sk-1234", base_url=base_url, max_retries=0)


def used():
    answer = requests.get(
        base_url + "/fairshare/shares?model=upstream-model", headers={"Authorization": "Bearer sk-1234"}
    )
    return answer.json()["totals"]["tokens"]


def stream(wish, **more):
    before = used()
    chunks = list(
        client.chat.completions.create(
            model="upstream-model",
            messages=[{"role": "user", "content": "tell me"}],
            stream=True,
            extra_headers={"x-b3-upstream": wish},
            **more,
        )
    )
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    usages = [c.usage for c in chunks if c.usage is not None]
    return content, usages, used() - before


for cut in (0, 1, 7, 100):
    wish = "prompt=9 completion=12 chunks=4 cut=%d" % cut
    content, usages, tokens = stream(wish)
    assert content == "word word word word ", content
    assert usages == [], "a usage that nobody asked for: %s" % usages
    assert tokens == 21, tokens

    content, usages, tokens = stream(wish, stream_options={"include_usage": True})
    assert content == "word word word word ", content
    assert [u.total_tokens for u in usages] == [21], usages
    assert tokens == 21, tokens

# An upstream that reports no usage at all is charged by estimate.
content, usages, tokens = stream("chunks=4 usage=never")
assert content == "word word word word " and usages == [], (content, usages)
assert tokens > 0, tokens
print("streams are whole")
