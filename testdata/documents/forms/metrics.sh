curl -L http://localhost:4000/metrics -H 'Authorization: Bearer sk-1234'
