curl -X POST 'http://localhost:4000/chat/completions' \
-H 'Content-Type: application/json' \
-H 'Authorization: Bearer <generated-key>' \
-d '{
    "model": "small",
    "messages": [
        {
        "role": "user",
        "content": "What'\''s new in town?"
        }
    ],
    "user": "globex"
}
'
