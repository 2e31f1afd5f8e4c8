curl -L 'http://localhost:4000/team/member_add' \
  -H 'Authorization: Bearer <your-master-key>' \
  -H 'Content-Type: application/json' \
  -d '{
    "team_id": "<team-id>",
    "member": [
      {"role": "user", "user_id": "dora"},
      {"role": "admin", "user_email": "emil@example.org"}
    ]
  }'
