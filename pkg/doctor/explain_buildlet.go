package doctor

// buildletCauses are the failures of the buildlet, upstream's and ours.
func buildletCauses() []knownCause {
	const (
		program = "buildlet"
		status  = `(?:want HTTP status 101 or 307; got |want HTTP status 101; got |coordinator WORD refuses WORD as WORD: )`
	)
	return []knownCause{
		{
			id: "buildlet-no-key", program: program, section: "build protocol, section 1",
			title:   "there is no builder key",
			pattern: pat(`cannot read key file "(?P<file>[^"]+)": .*` + osNotFound + `|no builder key of WORD?:`),
			cause:   "{file|The key file} does not exist. Upstream's buildlet reads ~/.gobuildkey-HOSTTYPE or $GO_BUILD_KEY_PATH; the ~/.gobuildkey of the wiki page is not read by it.",
			remedy:  "Put the key there, with mode 0600. gobuild doctor --for coordinator shows where it is looked for.",
		},
		{
			id: "buildlet-key-unreadable", program: program, section: "build protocol, section 1",
			title:   "the builder key may not be read",
			pattern: pat(`cannot read key file "(?P<file>[^"]+)": .*` + osDenied),
			cause:   "{file|The key file} may not be read by the user that runs the buildlet.",
			remedy:  "Give it to that user, with mode 0600.",
		},
		{
			id: "buildlet-key-refused", program: program, section: "build protocol, section 2.3",
			title:   "the coordinator does not accept the builder key",
			pattern: pat(`invalid build key|answer to GET /reverse: 412`),
			cause:   "The key is not the one that belongs to this host type: it was made for another type, or from another master key, or the host type was renamed (golang/go#38411). A key is good for exactly one name.",
			remedy:  "Ask the coordinator: gobuild keygen verify HOSTTYPE. The maintainer makes the right key with: gobuild keygen HOSTTYPE",
		},
		{
			id: "buildlet-too-old", program: program, section: "build protocol, section 2.3",
			title:   "the buildlet is too old for the coordinator",
			pattern: pat(`buildlet binary is too old|unknown revdial version|old buildlet binary\?`),
			cause:   "The coordinator does not take this version of the registration.",
			remedy:  "Run stage0 in a loop, not a copy of the buildlet: stage0 fetches the current one each time.",
		},
		{
			id: "buildlet-not-tls", program: program, section: "build protocol, section 2.3",
			title:   "the coordinator was not reached by TLS",
			pattern: pat(`buildlet registration requires SSL|handler requires TLS`),
			cause:   "Something before the coordinator takes TLS off, and the coordinator sees plain HTTP.",
			remedy:  "Let the proxy before the coordinator pass TLS through (TCP mode), or register at the coordinator's own port.",
		},
		{
			id: "buildlet-missing-header", program: program, section: "build protocol, section 2.3",
			title:   "the registration lacks something",
			pattern: pat(`missing (?P<header>X-Go-[A-Za-z-]+)(?:;| header)`),
			cause:   "The header {header|X-Go-...} did not come through: a proxy dropped it, or it is empty.",
			remedy:  "Give -reverse-type and -hostname; go around the proxy with NO_PROXY if there is one.",
		},
		{
			id: "buildlet-gomote-refused", program: program, section: "build protocol, section 5",
			title:   "the gomote server does not expect this buildlet",
			pattern: pat(`not expecting buildlet client|invalid authentication Token`),
			cause:   "The gomote server knows no such instance, no longer waits for it (10 minutes), or does not accept its token.",
			remedy:  "Destroy the gomote instance and create a new one. GOMOTEID and GO_BUILDLET_TOKEN come from the task; set neither by hand.",
		},
		{
			id: "buildlet-no-swarming-token", program: program, section: "build protocol, section 5",
			title:   "the buildlet has no token for the gomote server",
			pattern: pat(`unable to retrieve swarming access token`),
			cause:   "-swarming-bot works only inside a Swarming task, where LUCI gives tokens.",
			remedy:  "To join a coordinator use -reverse-type and -coordinator instead.",
		},
		{
			id: "buildlet-redirects", program: program, section: "build protocol, section 2.4",
			title:   "the coordinator redirects in a circle",
			pattern: pat(`/reverse: too many redirects|the coordinator redirects more than once`),
			cause:   "The registration may be redirected once, and was redirected twice.",
			remedy:  "Name the coordinator's final address, HOST:PORT.",
		},
		{
			id: "buildlet-not-coordinator", program: program, section: "build protocol, section 2.3",
			title:   "what answers is not a coordinator",
			pattern: pat(status + `(?P<status>\d{3}[A-Za-z ]{0,40})|` + status),
			cause:   "The registration was answered with {status|another status than 101}: by a web server, a proxy, or the coordinator's page server.",
			remedy:  "See that -coordinator names the coordinator's HOST:PORT for buildlets: gobuild doctor --for coordinator",
			general: []string{program},
		},
		{
			id: "buildlet-port-in-name", program: program, section: "build protocol, section 2.1",
			title:   "the certificate cannot fit, because the port is taken for a part of the name",
			pattern: pat(`failed to handshake with coordinator: .*x509: certificate is (?:not )?valid for .*, ?(?:but )?not (?P<name>[\w.-]+:\d+)`),
			cause:   "Upstream's buildlet takes {name|HOST:PORT} for the server's name unless the port is 443, and no certificate is made for that.",
			remedy:  "Let the coordinator listen at port 443, or use gobuild buildlet, which takes the name without the port.",
		},
		{
			id: "buildlet-plain-port", program: program, section: "build protocol, section 2.1",
			title:   "the coordinator's port does not speak TLS",
			pattern: pat(`failed to handshake with (?:coordinator|the gomote server): .*first record does not look like a TLS handshake`),
			cause:   "The address answers with plain text: it is the coordinator's page port, or another service.",
			remedy:  "Name the port for buildlets in -coordinator; with -dev that is localhost:8119.",
		},
		{
			id: "buildlet-handshake-closed", program: program, section: "build protocol, section 2.1",
			title:   "the connection was cut before TLS was agreed on",
			pattern: pat(`failed to handshake with (?:coordinator|the gomote server): (?P<why>EOF|.*connection reset by peer|.*i/o timeout)`),
			cause:   "Something accepts the connection and then drops it ({why|EOF}): a firewall, a load balancer without a server, or a port that is forwarded to nowhere.",
			remedy:  "gobuild doctor --for coordinator tries TCP and TLS one by one.",
		},
		{
			id: "buildlet-no-port", program: program, section: "build protocol, section 2.1",
			title:   "the coordinator's address lacks its port",
			pattern: pat(`dial tcp: address (?P<addr>WORD?): missing port in address`),
			cause:   "Only farmer.golang.org may stand without a port; {addr|the address} may not.",
			remedy:  "Write it as HOST:PORT, without https://",
		},
		{
			id: "buildlet-pickup", program: program, section: "build protocol, section 2.6",
			title:   "the buildlet cannot dial back",
			pattern: pat(`failed to pick up connection[^:]*: (?P<why>[^{}]+?):?\s*$`),
			cause:   "The registration stands, but a further connection failed ({why|see the line}), so that no work arrives. \"unknown dialer\" means that another coordinator answered: several behind one address, or one that was restarted.",
			remedy:  "Let one address lead to one coordinator, and let more than one connection at a time through.",
		},
		{
			id: "buildlet-work-dir", program: program, section: "build protocol, section 4",
			title:   "the work directory cannot be used",
			pattern: pat(`invalid --workdir "(?P<dir>[^"]+)"|error creating workdir: (?P<why>[^{}]+)|(?:unlinkat|mkdir) (?P<sub>[^"<>|:]+)/(?:tmp|gocache|goplscache)[: ]|work directory: (?P<ours>[^{}]+)`),
			cause:   "-workdir has to be a directory that is there and may be written ({dir,sub,why,ours|see the line}); its tmp, gocache and goplscache are emptied at each start.",
			remedy:  "Make it and give it to the buildlet's user: install -d -o USER DIRECTORY. gobuild doctor --for coordinator shows room and rights.",
		},
		{
			id: "buildlet-health-port", program: program, section: "build protocol, section 4",
			title:   "the port for health checks is taken",
			pattern: pat(`Error in serveReverseHealth: .*listen tcp (?P<addr>WORD?): `),
			cause:   "Another program listens at {addr|the address of -health-addr}. The buildlet works on without.",
			remedy:  "Choose another with -health-addr, best on 127.0.0.1: the default is open to the network.",
		},
		{
			id: "buildlet-listen", program: program, section: "build protocol, section 4",
			title:   "the buildlet cannot listen at its address",
			pattern: pat(`Failed to listen on (?P<addr>WORD?): (?P<why>[^{}]+)`),
			cause:   "{addr|The address of -listen} cannot be had: {why|see the line}.",
			remedy:  "Most builders register at a coordinator and need not listen: use -reverse-type and -coordinator. Else choose another -listen HOST:PORT.",
		},
		{
			id: "buildlet-open", program: program, section: "build protocol, section 3.10",
			title:   "the buildlet is open to everybody",
			pattern: pat(`This server is unsafe and offers no security`),
			cause:   "It listens on the network without a password, and runs what it is told.",
			remedy:  "Use -reverse-type and -coordinator, listen on localhost only, or set META_password, META_tls_cert and META_tls_key.",
		},
		{
			id: "buildlet-stopped", program: program, section: "build protocol, section 2.1",
			title:   "the buildlet could not join the coordinator",
			pattern: pat(`Error dialing (?:server|coordinator): (?P<why>[^{}]+)`),
			cause:   "It ended because of: {why|see the line}.",
			remedy:  "gobuild doctor --for coordinator tries DNS, TCP, TLS and the key one by one.",
			general: []string{program, anyProgram},
		},
	}
}
