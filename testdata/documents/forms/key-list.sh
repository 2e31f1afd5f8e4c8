curl -X 'GET' \
  'http://0.0.0.0:4000/key/list?page=1&size=2&team_id=<team-id>&return_full_object=true' \
  -H 'accept: application/json' \
  -H 'Authorization: Bearer sk-1234'
