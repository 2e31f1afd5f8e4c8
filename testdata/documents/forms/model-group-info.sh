curl -X 'GET' \
  'http://localhost:4000/model_group/info?model_group=large' \
  -H 'accept: application/json' \
  -H 'api-key: sk-1234'
