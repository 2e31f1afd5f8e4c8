curl -X GET 'http://localhost:4000/team/info?team_id=<team-id>' \
-H 'Authorization: Bearer sk-1234'
