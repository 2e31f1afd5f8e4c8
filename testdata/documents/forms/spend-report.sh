curl -X GET 'http://localhost:4000/global/spend/report?start_date=2025-10-01&end_date=2025-11-30&group_by=team' \
  -H 'Authorization: Bearer sk-1234'
