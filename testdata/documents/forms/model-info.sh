curl -X 'GET' 'http://0.0.0.0:4000/v1/model/info' \
-H 'accept: application/json' \
-H 'x-api-key: sk-1234'
