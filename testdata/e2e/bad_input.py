"""
What an OpenAI client shows of each refusal: the exception's class, and an error
body that it could read.
"""

import sys

import openai
import requests
from openai import OpenAI

base_url = sys.argv[1]


def refused(want, key="sk-1234", **call):
    arguments = {"model": "my-fake-model", "messages": [{"role": "user", "content": "hi"}], **call}
    try:
        OpenAI(api_key=key, base_url=base_url, max_retries=0).chat.completions.create(**arguments)
    except want as e:
        assert e.body and e.body["message"], e
        print("%-24s %s" % (want.__name__, e.body["message"]))
        return
    raise Exception("%s passed, want %s" % (call or key, want.__name__))


refused(openai.AuthenticationError, key="sk-nobody")
refused(openai.AuthenticationError, key="not a key")
refused(openai.BadRequestError, model="no-such-model")
refused(openai.BadRequestError, model="")
refused(openai.BadRequestError, model=17)
refused(openai.BadRequestError, messages="hi")

auth = {"Authorization": "Bearer sk-1234"}
chat = base_url + "/v1/chat/completions"
for want, response in (
    (401, requests.post(chat, json={"model": "my-fake-model", "messages": []})),
    (400, requests.post(chat, data="{", headers=auth)),
    (400, requests.post(chat, data="", headers=auth)),
    (400, requests.post(chat, data="[]", headers=auth)),
    (400, requests.post(chat, json={"messages": []}, headers=auth)),
    (404, requests.post(base_url + "/v1/no/such/path", json={}, headers=auth)),
    (404, requests.get(base_url + "/", headers=auth)),
    (405, requests.get(chat, headers=auth)),
    (405, requests.get(base_url + "/key/generate", headers=auth)),
    (413, requests.post(chat, data=b'{"x":"' + b"x" * (9 << 20) + b'"}', headers=auth)),
):
    assert response.status_code == want, (want, response.status_code, response.text)
    error = response.json()["error"]
    assert error["message"] and int(error["code"]) == want, error
    print("%-24d %s" % (want, error["message"]))

models = [m.id for m in OpenAI(api_key="sk-1234", base_url=base_url + "/v1").models.list()]
assert "my-fake-model" in models, models
assert requests.get(base_url + "/health/liveliness").status_code == 200
