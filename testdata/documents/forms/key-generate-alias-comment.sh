curl -X POST "https://0.0.0.0:4000/key/generate" \
-H "Authorization: Bearer <your-master-key>" \
-H "Content-Type: application/json" \
-d '{
	"models": ["small"], 
	"aliases": {"large": "small"}, # 👈 what a call of large gets
	"duration": "30m"
}'
