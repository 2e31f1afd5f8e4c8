"""
What the user of each Python client sees of a refusal: the words, whatever the client
makes of an error, and at once.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

import openai
import requests
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

base_url = sys.argv[1]
key = requests.post(base_url + "/key/generate", json={}, headers={"Authorization": "Bearer sk-1234"}).json()["key"]
hashed = hashlib.sha256(key.encode()).hexdigest()
WORDS = "Error code: 429 - Key=%s over available TPM=0. Model TPM=0, Active keys=1" % hashed
ask = {"model": "my-fake-model", "messages": [{"role": "user", "content": "hi"}]}


def shown(name, call):
    began = time.monotonic()
    try:
        call()
    except Exception as e:
        print("%-18s %s: %s" % (name, type(e).__name__, e))
        assert str(e).strip() == WORDS, str(e)
        # Retry-After is 55 seconds here.
        assert time.monotonic() - began < 20, "it waited"
        return
    raise Exception(name + " was served")


def llm(*options):
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, "extra-openai-models.yaml"), "w") as f:
            f.write("- {model_id: m, model_name: my-fake-model, api_key_name: mine, api_base: '%s/v1'}\n" % base_url)
        with open(os.path.join(home, "keys.json"), "w") as f:
            json.dump({"mine": key}, f)
        run = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "llm"), "-m", "m", *options, "hi"],
            env={**os.environ, "LLM_USER_PATH": home}, capture_output=True, text=True,
        )
        assert run.returncode != 0, run.stdout
        raise Exception(run.stderr.removeprefix("Error: "))


client = openai.OpenAI(api_key=key, base_url=base_url + "/v1")
langchain = ChatOpenAI(model="my-fake-model", api_key=key, base_url=base_url + "/v1")
assert client.chat.completions.create(**ask).usage.total_tokens == 30

shown("openai", lambda: client.chat.completions.create(**ask))
shown("openai, stream", lambda: list(client.chat.completions.create(stream=True, **ask)))
shown("openai, async", lambda: asyncio.run(openai.AsyncOpenAI(api_key=key, base_url=base_url + "/v1").chat.completions.create(**ask)))
shown("openai, own agent", lambda: openai.OpenAI(api_key=key, base_url=base_url + "/v1", default_headers={"user-agent": "mine"}).chat.completions.create(**ask))
shown("langchain", lambda: langchain.invoke("hi"))
shown("langchain, stream", lambda: list(langchain.stream("hi")))
shown("langchain, vectors", lambda: OpenAIEmbeddings(model="my-fake-model", api_key=key, base_url=base_url + "/v1", check_embedding_ctx_length=False).embed_query("hi"))
shown("llm", lambda: llm("--no-stream"))
shown("llm, stream", lambda: llm())
