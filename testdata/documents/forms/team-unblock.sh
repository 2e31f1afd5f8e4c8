curl -L -X POST 'http://0.0.0.0:4000/team/unblock' \
-H 'Authorization: Bearer sk-1234' \
-H 'Content-Type: application/json' \
-d '{"team_id": "<team-id>"}'
