"""
What budgets, limits and grants are to an OpenAI client: the exception, its body,
and that the client sends a refused request once.
"""

import asyncio
import hashlib
import sys
import time

import openai
import requests
from openai import AsyncOpenAI, OpenAI

base_url = sys.argv[1]
admin = {"Authorization": "Bearer sk-1234"}
hello = [{"role": "user", "content": "hello"}]


def manage(route, **fields):
    response = requests.post(base_url + route, json=fields, headers=admin)
    assert response.status_code == 200, (route, response.text)
    return response.json()


def new_key(**fields):
    return manage("/key/generate", **fields)["key"]


def info(key):
    return requests.get(base_url + "/key/info", headers={"Authorization": "Bearer " + key}).json()["info"]


sent = []


def connect(key):
    # The client's own number of retries: two.
    return OpenAI(
        api_key=key,
        base_url=base_url,
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [sent.append]}),
    )


def refused(call, want, error, headers={}):
    """The call raises want with that error as its body, after one request."""
    sent.clear()
    try:
        call()
    except want as e:
        assert e.response.json() == {"error": error}, e.response.text
        assert e.body == error, e.body
        assert e.status_code == error["code"], e.status_code
        assert len(sent) == 1, "%d requests were sent" % len(sent)
        for name, value in headers.items():
            assert e.response.headers.get(name) == value, (name, e.response.headers)
        print("%-22s %s" % (want.__name__, error["message"]))
        return
    raise Exception("the call passed, want %s" % want.__name__)


def chat(client, model="small", **more):
    return client.chat.completions.create(model=model, messages=hello, **more)


def over_budget(cost, limit):
    message = "Budget has been exceeded! Current cost: %s, Max budget: %s" % (cost, limit)
    return {"message": message, "type": "auth_error", "param": None, "code": 400}


def over_limit(whose, kind, limit, resets):
    message = "Rate limit exceeded for %s. Limit type: %s. Current limit: %d, Remaining: 0. Limit resets at: %s" % (
        whose,
        kind,
        limit,
        resets,
    )
    return {"message": message, "type": "None", "param": "None", "code": 429}


def unauthorised(message, **other):
    return {"message": "Authentication Error" + message, "type": "auth_error", "param": "None", "code": 401, **other}


def not_granted(whose, model):
    return {
        "message": "The requested model '%s' is not available for this API key, or the model name is invalid. "
        "Check the models available to you and try again." % model,
        "type": whose + "_model_access_denied",
        "param": "model",
        "code": 403,
    }


# Budgets: of a key, of the user whom two keys belong to, of a team.
client = connect(new_key(max_budget=1e-9))
answer = client.chat.completions.with_raw_response.create(model="small", messages=hello)
assert answer.headers["x-litellm-response-cost"] == "5e-05", answer.headers
assert answer.parse().usage.total_tokens == 30
refused(lambda: chat(client), openai.BadRequestError, over_budget("5e-05", "1e-09"), {"x-should-retry": "false"})

user = manage("/user/new", max_budget=0.00006)
second = connect(new_key(user_id=user["user_id"]))
chat(connect(user["key"]))
chat(second)
refused(lambda: chat(second), openai.BadRequestError, over_budget("0.0001", "6e-05"))

team = manage("/team/new", team_alias="crew", max_budget=0)["team_id"]
client = connect(new_key(team_id=team))
refused(lambda: chat(client), openai.BadRequestError, over_budget("0.0", "0.0"))
refused(lambda: chat(client, stream=True), openai.BadRequestError, over_budget("0.0", "0.0"))

# Limits: requests, requests at once. Time stands still here, five seconds past ten.
key = new_key(rpm_limit=1)
client, whose = connect(key), "api_key: " + hashlib.sha256(key.encode()).hexdigest()
chat(client)
refused(
    lambda: chat(client),
    openai.RateLimitError,
    over_limit(whose, "requests", 1, "2025-11-21 10:01:00 UTC"),
    {"retry-after": "55", "x-should-retry": "false", "rate_limit_type": "requests"},
)

key = new_key(max_parallel_requests=1)
client, whose = connect(key), "api_key: " + hashlib.sha256(key.encode()).hexdigest()
stream = chat(client, "upstream-model", stream=True, extra_headers={"x-b3-upstream": "hang=1"})
next(iter(stream))
sent.clear()
try:
    chat(client, "upstream-model")
    raise Exception("two requests at once passed")
except openai.RateLimitError as e:
    assert len(sent) == 1, sent
    assert e.body["message"].startswith(
        "Rate limit exceeded for %s. Limit type: max_parallel_requests. Current limit: 1, Remaining: 0." % whose
    ), e.body
    print("%-22s %s" % ("RateLimitError", e.body["message"]))
stream.close()
for wait in range(100):
    try:
        chat(client, "upstream-model")
        break
    except openai.RateLimitError:
        time.sleep(0.1)  # until the gateway has seen that the first is gone
else:
    raise Exception("the place of a request that was given up is not free again")


async def at_once(key, n):
    async with AsyncOpenAI(api_key=key, base_url=base_url) as client:
        return await asyncio.gather(*(chat(client) for _ in range(n)), return_exceptions=True)


answers = asyncio.run(at_once(new_key(rpm_limit=3), 12))
limited = [a for a in answers if isinstance(a, openai.RateLimitError)]
assert len(limited) == 9, answers
assert sum(a.usage.total_tokens for a in answers if a not in limited) == 90, answers

# Keys that are over: expired, blocked, never made.
old = "sk-key-of-last-year"
refused(
    lambda: chat(connect(old)),
    openai.AuthenticationError,
    unauthorised(
        " - Expired Key. Key Expiry time 2025-01-01 00:00:00+00:00 and current time 2025-11-21 10:00:05+00:00",
        type="expired_key",
        param="sk-...year",
    ),
)
key = new_key()
chat(connect(key))
manage("/key/block", key=key)
refused(
    lambda: chat(connect(key)),
    openai.AuthenticationError,
    unauthorised(", Key is blocked. Update via `/key/unblock` if you're an admin."),
)
refused(
    lambda: connect(key).models.list(),
    openai.AuthenticationError,
    unauthorised(", Key is blocked. Update via `/key/unblock` if you're an admin."),
)
manage("/key/unblock", key=key)
chat(connect(key))
manage("/key/delete", keys=[key])
refused(
    lambda: chat(connect(key)),
    openai.AuthenticationError,
    unauthorised(
        ", Invalid proxy server token passed. Received API Key = sk-...%s, Key Hash (Token) =%s. This gateway knows "
        "no such key: it was deleted, or it is another gateway's" % (key[-4:], hashlib.sha256(key.encode()).hexdigest()),
        type="token_not_found_in_db",
        param="key",
    ),
)
manage("/team/block", team_id=team)
refused(
    lambda: chat(connect(new_key(team_id=team))),
    openai.AuthenticationError,
    unauthorised(", Team=%s is blocked. Update via `/team/unblock` if you're an admin." % team),
)

# Grants: of the key, of its user, of its team; and what models.list() shows.
client = connect(new_key(models=["small", "vectors"]))
assert [m.id for m in client.models.list()] == ["small", "vectors"]
assert client.models.list().data[0].object == "model"
refused(lambda: chat(client, "large"), openai.PermissionDeniedError, not_granted("key", "large"))
chat(client)
client = connect(manage("/user/new", models=["large"])["key"])
assert [m.id for m in client.models.list()] == ["large"]
refused(lambda: chat(client), openai.PermissionDeniedError, not_granted("user", "small"))
team = manage("/team/new", models=["small", "large"])["team_id"]
client = connect(new_key(team_id=team, models=["all-team-models"]))
assert [m.id for m in client.models.list()] == ["small", "large"]
refused(
    lambda: client.embeddings.create(model="vectors", input="hi"),
    openai.PermissionDeniedError,
    not_granted("team", "vectors"),
)
assert len(connect(new_key()).models.list().data) == 4

# Embeddings, as the client asks for them by default (base64) and as floats.
client = connect(new_key(max_budget=0.0000025))
packed = client.embeddings.create(model="vectors", input=["one", "two"])
floats = client.embeddings.create(model="vectors", input=["one", "two"], encoding_format="float")
assert len(packed.data) == len(floats.data) == 2
for a, b in zip(packed.data, floats.data):
    assert a.index == b.index and len(a.embedding) == len(b.embedding) == 3
    assert all(abs(x - y) < 1e-6 for x, y in zip(a.embedding, b.embedding)), (a, b)
assert packed.usage.prompt_tokens == floats.usage.prompt_tokens == 10
assert info(client.api_key)["spend"] == 0.000002
client.embeddings.create(model="vectors", input=[[1, 2, 3]])
refused(
    lambda: client.embeddings.create(model="vectors", input="more"),
    openai.BadRequestError,
    over_budget("3e-06", "2.5e-06"),
)

# A stream on a budget: its usage, which the upstream tells at the end and the
# client does not see, is paid for before the client has read it all.
client = connect(new_key(max_budget=0.00002))
wish = {"x-b3-upstream": "prompt=9 completion=12 chunks=4"}
chunks = list(chat(client, "upstream-model", stream=True, extra_headers=wish))
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "word word word word "
assert not [c for c in chunks if c.usage], chunks
assert info(client.api_key)["spend"] == 0.000021
refused(
    lambda: chat(client, "upstream-model", stream=True, extra_headers=wish),
    openai.BadRequestError,
    over_budget("2.1e-05", "2e-05"),
)

# An end user, whoever's key names it, in calls and in embeddings.
manage("/customer/new", user_id="acme", max_budget=0.00005)
mine, yours = connect(new_key()), connect("sk-1234")
chat(mine, user="acme")
for client in (mine, yours):
    refused(lambda: chat(client, user="acme"), openai.BadRequestError, over_budget("5e-05", "5e-05"))
    refused(
        lambda: client.embeddings.create(model="vectors", input="hi", user="acme"),
        openai.BadRequestError,
        over_budget("5e-05", "5e-05"),
    )
    refused(
        lambda: chat(client, extra_headers={"x-litellm-end-user-id": "acme"}),
        openai.BadRequestError,
        over_budget("5e-05", "5e-05"),
    )
    chat(client, user="globex")
    chat(client)
manage("/customer/block", user_ids=["globex"])
refused(
    lambda: chat(mine, user="globex"),
    openai.AuthenticationError,
    unauthorised(", End User=globex is blocked. Update via `/customer/unblock` if you're an admin."),
)
