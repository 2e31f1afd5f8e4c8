"""
LiteLLM's example of reserved quota: of 100 requests a minute all are reserved
for keys of the priority prod, none for dev.
"""

import hashlib
import sys

import requests
from openai import OpenAI, RateLimitError

base_url = sys.argv[1]


def create_key(priority):
    response = requests.post(
        base_url + "/key/generate",
        json={"metadata": {"priority": priority}},
        headers={"Authorization": "Bearer sk-1234"},
    )
    return response.json()["key"]


def call(key):
    return OpenAI(api_key=key, base_url=base_url).chat.completions.create(
        model="gpt-3.5-turbo",
        messages=[{"role": "user", "content": "what llm are you"}],
    )


dev, prod = create_key("dev"), create_key("prod")
try:
    call(dev)
    raise Exception("dev has a share of 0 and was served")
except RateLimitError as e:
    want = "Key=%s over available RPM=0. Model RPM=100, Active keys=None" % hashlib.sha256(dev.encode()).hexdigest()
    assert str(e) == "Error code: 429 - " + want, e
    print(e)

answer = call(prod)
assert answer.usage.total_tokens == 30, answer
print(answer.choices[0].message.content)
