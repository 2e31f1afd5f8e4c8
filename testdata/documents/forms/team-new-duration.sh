curl 'http://0.0.0.0:4000/team/new' \
--header 'Authorization: Bearer <your-master-key>' \
--header 'Content-Type: application/json' \
--data-raw '{
  "team_alias": "search-frontend",
  "members_with_roles": [{"role": "admin", "user_id": "2f0d4c1e-77aa-4c55-9a53-1f2a6f1f3c21"}],
  "max_budget": 10,
  "budget_duration": "30s", # 👈 how often it begins anew
}'
