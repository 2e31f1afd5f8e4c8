"""
Keys, users and teams managed with requests, in the ways of LiteLLM's
documentation: make, give, look up what was spent, change, take away.
"""

import sys
import time

import requests
from openai import OpenAI

base_url = sys.argv[1]
headers = {"Authorization": "Bearer sk-1234", "Content-Type": "application/json"}


def post(route, body, status=200):
    response = requests.post("{}{}".format(base_url, route), json=body, headers=headers)
    assert response.status_code == status, (route, response.status_code, response.text)
    return response.json()


def get(route, status=200, **params):
    response = requests.get("{}{}".format(base_url, route), params=params, headers=headers)
    assert response.status_code == status, (route, response.status_code, response.text)
    return response.json()


def call(key, **more):
    client = OpenAI(api_key=key, base_url=base_url)
    return client.chat.completions.create(model="small", messages=[{"role": "user", "content": "hi"}], **more)


# A team, a member with a budget in it, and the member's key.
team = post(
    "/team/new",
    {"team_alias": "crew", "max_budget": 1.5, "budget_duration": "30d", "metadata": {"cost_centre": 17}},
)
team_id = team["team_id"]
assert team["team_alias"] == "crew" and team["spend"] == 0 and team["budget_reset_at"] == "2025-12-01T00:00:00Z", team
user = post(
    "/user/new",
    {"user_email": "ann+test@example.org", "user_role": "internal_user", "auto_create_key": False},
)
user_id = user["user_id"]
assert user["user_email"] == "ann+test@example.org" and not user["key"], user
joined = post(
    "/team/member_add",
    {"team_id": team_id, "member": {"role": "user", "user_id": user_id}, "max_budget_in_team": 0.5},
)
assert [m["user_id"] for m in joined["members_with_roles"]] == [user_id], joined
made = post(
    "/key/generate",
    {"team_id": team_id, "user_id": user_id, "key_alias": "ann's laptop", "duration": "30d", "models": ["small"]},
)
key = made["key"]
assert made["expires"] == "2025-12-21T10:00:05Z" and made["key_name"] == "sk-..." + key[-4:], made
assert post("/key/generate", {"key_alias": "ann's laptop"}, 400)["error"]["param"] == "key_alias"

# Two calls show wherever spend is shown.
for _ in range(2):
    assert call(key).usage.total_tokens == 30
time.sleep(1)  # spend that nothing limits is noted five times a second
row = get("/key/info", key=key)["info"]
assert row["spend"] == 0.0001 and row["team_id"] == team_id and row["user_id"] == user_id, row
assert get("/key/info", key=made["token"])["info"] == row
about = get("/team/info", team_id=team_id)
assert about["team_info"]["spend"] == 0.0001 and about["keys"][0]["token"] == made["token"], about
assert about["team_memberships"][0]["spend"] == 0.0001, about
assert about["team_info"]["metadata"] == {"cost_centre": 17}, about
about = get("/user/info", user_id=user_id)
assert about["user_info"]["spend"] == 0.0001 and about["teams"][0]["team_id"] == team_id, about
assert get("/key/list", user_id=user_id)["keys"] == [made["token"]]
assert [t["spend"] for t in get("/spend/teams")] == [0.0001]
assert [u["spend"] for u in get("/spend/users")] == [0.0001]
assert [k["token"] for k in get("/spend/keys")] == [made["token"]]
assert get("/global/spend")["spend"] == 0.0001
assert [u["user_id"] for u in get("/user/list", user_email="ANN+test")["users"]] == [user_id]
for answer in (row, about, get("/key/list", return_full_object="true"), get("/spend/keys")):
    assert key not in str(answer), "a key is shown a second time"

# Changes hold at once and keep what was spent.
changed = post("/key/update", {"key": key, "max_budget": 0.0001, "rpm_limit": 100})
assert changed["max_budget"] == 0.0001 and changed["spend"] == 0.0001, changed
response = requests.post(
    "{}/chat/completions".format(base_url),
    json={"model": "small", "messages": [{"role": "user", "content": "hi"}]},
    headers={"Authorization": "Bearer {}".format(key)},
)
assert response.status_code == 400, response.text
assert response.json()["error"]["message"] == "Budget has been exceeded! Current cost: 0.0001, Max budget: 0.0001"
assert post("/key/update", {"key": key, "max_budget": None})["max_budget"] is None
call(key)
post("/team/update", {"team_id": team_id, "max_budget": 2})
assert get("/team/info", team_id=team_id)["team_info"]["budget_duration"] == "30d"
changed = post("/user/update", {"user_email": "ann+test@example.org", "user_alias": "Ann"})
assert changed["data"]["user_alias"] == "Ann", changed
changed = post(
    "/team/member_update",
    {"team_id": team_id, "user_email": "ann+test@example.org", "max_budget_in_team": 0.25},
)
assert changed["user_id"] == user_id and changed["max_budget_in_team"] == 0.25, changed

# Bad values name their field and change nothing.
for route, body, field in (
    ("/key/generate", {"max_budget": -1}, "max_budget"),
    ("/key/generate", {"rpm_limit": 1.5}, "rpm_limit"),
    ("/key/generate", {"duration": "soon"}, "duration"),
    ("/key/generate", {"models": "small"}, "models"),
    ("/key/update", {"key": key, "tpm_limit": "many"}, "tpm_limit"),
    ("/team/new", {"max_budget": 1, "soft_budget": 2}, "soft_budget"),
    ("/user/new", {"budget_duration": 30}, "budget_duration"),
    ("/customer/new", {"user_id": "acme", "max_budget": 1, "budget_id": "b"}, "budget_id"),
):
    error = post(route, body, 400)["error"]
    assert error["param"] == field and field in error["message"], error
assert get("/key/list")["total_count"] == 1
assert get("/key/info", key=key)["info"]["tpm_limit"] is None

# A virtual key opens nothing but itself.
own = {"Authorization": "Bearer {}".format(key)}
for route in ("/key/generate", "/user/new", "/team/new"):
    response = requests.post(base_url + route, json={}, headers=own)
    assert response.status_code == 401 and response.json()["error"]["type"] == "auth_error", response.text
assert requests.get(base_url + "/key/info", headers=own).status_code == 200

# What is deleted takes along what belongs to it.
assert post("/user/delete", {"user_ids": [user_id]}) == 1
get("/key/info", 404, key=key)
get("/user/info", 404, user_id=user_id)
assert get("/team/info", team_id=team_id)["team_memberships"] == []
assert post("/team/delete", {"team_ids": [team_id]}) == {"deleted_teams": [team_id]}
get("/team/info", 404, team_id=team_id)
assert get("/global/spend")["spend"] >= 0.0001
print("keys, users and teams are managed")
