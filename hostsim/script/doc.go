package script

// The language.
//
// A scenario is a txtar archive: commands first, then the files that they
// use. Words are separated by spaces; 'single quotes' keep spaces together; a
// line that begins with # is a comment. The comment block above some commands
// tells what that phase of the story is about, and heads the output when it
// fails. [sim], [envoy], [core] or [!envoy] before a command runs it only with
// (or without) that driver. ! before a command means that it has to fail.
// Every command that prints replaces what stdout holds.
//
//	config FILE [workers=N] [now=2026-11-21T12:00:00Z]
//	    starts the gateway with FILE, LiteLLM's configuration as JSON. Without
//	    now the clock stands at 2026-11-21 12:00:00 UTC. Prints the error, if any.
//	env NAME=VALUE
//	    sets a variable of the gateway's environment; before config.
//	reload FILE
//	    replaces the configuration. Prints the error, if any.
//	key NAME [FILE]
//	    makes a key with the master key and the body FILE, and calls it NAME.
//	ask NAME [worker=N] [key=NAME] [method=M] [path=P] [header=K:V]... [show=K,...] [FILE]
//	    sends a request, POST /v1/chat/completions unless told otherwise, with
//	    the body FILE. key= names a key made by key, the word master, or is
//	    itself the key. Prints "reply STATUS" and what the client got, or
//	    "forwarded" and what the upstream got: the headers in show=, then the
//	    body. A forwarded request stays open under NAME.
//	get PATH [worker=N] [key=NAME] [header=K:V]... [show=K,...]
//	post PATH [FILE] [worker=N] [key=NAME] [header=K:V]... [show=K,...]
//	    send a request that the gateway answers itself.
//	answer NAME [FILE] [status=N] [cut=N] [sse|json|untyped] [header=K:V]... [show=K,...] [more]
//	    gives the upstream's answer, in chunks of cut bytes, and prints what the
//	    client got. The content type follows FILE's name; untyped is none. With more the answer
//	    stays open for another answer.
//	reset NAME [show=K,...]
//	    breaks the upstream's side; prints what the client got.
//	abort NAME
//	    breaks the client's side.
//	trap NAME
//	    kills the worker that serves the request.
//	wait DURATION
//	    lets the clock run, wait 30s.
//	at MM:SS
//	    lets the clock run until so many minutes and seconds after config.
//	cmp stdout FILE
//	    compares exactly. With the update option FILE is rewritten instead.
//	stdout REGEXP
//	    wants a match in what the last command printed.
//	skip REASON, stop
//	    end the scenario, the first counting it as skipped.
//
// So that what is printed does not depend on chance, the sha256 of key NAME
// is printed as <sha256 of NAME> (also where only its first 16 digits and "..."
// stand), the key itself as <key NAME>, an answer's id as <id>, its time as
// <created> and a key's times and short name likewise.
//
// Example:
//
//	# The second ask of the minute finds nothing left.
//	config config.json workers=2
//	key alice
//	ask a worker=1 key=alice ask.json
//	ask b worker=2 key=alice show=retry-after ask.json
//	cmp stdout refused
//
//	-- refused --
//	reply 429
//	retry-after: 60
//	{"error":{"message":{"error":"Key=<sha256 of alice> over available TPM=0…
