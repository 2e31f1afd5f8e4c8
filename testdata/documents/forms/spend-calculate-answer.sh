curl --location 'http://localhost:4000/spend/calculate' \
--header 'Authorization: Bearer sk-1234' \
--header 'Content-Type: application/json' \
--data '{
    "completion_response": {
        "id": "chatcmpl-5",
        "object": "chat.completion",
        "created": 1763719205,
        "model": "large",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "five"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18}
    }
}'
