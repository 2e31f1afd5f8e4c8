"""
- Run 2 concurrent teams calling same model
- model has 60 TPM
- Mock response returns 30 total tokens / request
- Each team will only be able to make 1 request per minute

LiteLLM's own example of its dynamic rate limiter, with the gateway's address as
argument; what the documents only print is also checked.
"""

import hashlib
import sys

import requests
from openai import OpenAI, RateLimitError

base_url = sys.argv[1]


def create_key(api_key: str, base_url: str):
    response = requests.post(
        url="{}/key/generate".format(base_url),
        json={},
        headers={"Authorization": "Bearer {}".format(api_key)},
    )

    _response = response.json()

    return _response["key"]


key_1 = create_key(api_key="sk-1234", base_url=base_url)
key_2 = create_key(api_key="sk-1234", base_url=base_url)

# call proxy with key 1 - works
openai_client_1 = OpenAI(api_key=key_1, base_url=base_url)

response = openai_client_1.chat.completions.with_raw_response.create(
    model="my-fake-model",
    messages=[{"role": "user", "content": "Hello world!"}],
)

print("Headers for call 1 - {}".format(response.headers))
_response = response.parse()
print("Total tokens for call - {}".format(_response.usage.total_tokens))
assert _response.usage.total_tokens == 30
assert _response.choices[0].message.content == "hello-world"

# call proxy with key 2 -  works
openai_client_2 = OpenAI(api_key=key_2, base_url=base_url)

response = openai_client_2.chat.completions.with_raw_response.create(
    model="my-fake-model",
    messages=[{"role": "user", "content": "Hello world!"}],
)

print("Headers for call 2 - {}".format(response.headers))
_response = response.parse()
print("Total tokens for call - {}".format(_response.usage.total_tokens))
assert response.headers["x-ratelimit-limit-tokens"] == "60"
assert response.headers["x-ratelimit-remaining-tokens"] == "0"

# call proxy with key 2 -  fails
try:
    openai_client_2.chat.completions.with_raw_response.create(
        model="my-fake-model",
        messages=[{"role": "user", "content": "Hey, how's it going?"}],
    )
    raise Exception("This should have failed!")
except RateLimitError as e:
    print("This was rate limited b/c - {}".format(str(e)))
    hashed_token = hashlib.sha256(key_2.encode()).hexdigest()
    words = "Key=%s over available TPM=0. Model TPM=0, Active keys=2" % hashed_token
    assert str(e) == "Error code: 429 - " + words, e
    # Older clients print the body, whose message is {"error": words} for them.
    assert e.response.json() == {
        "error": {"message": words, "type": "None", "param": "None", "code": 429}
    }, e.response.text
    assert 0 < int(e.response.headers["retry-after"]) <= 60
