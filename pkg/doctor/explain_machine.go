package doctor

// machineCauses are the failures that lie in the machine or its network and
// meet every program. They come last in the table: a program's own cause for
// the same line says more.
func machineCauses() []knownCause {
	const (
		program = anyProgram
		call    = `(?:Get|Post|Head|Put) "(?P<url>https?://[^"]+)": `
		hosts   = "LUCI protocol, section 1"
		trust   = "LUCI protocol, section 7.2"
		place   = "LUCI protocol, section 9.9"
	)
	return []knownCause{
		{
			id: "proxy-login", program: program, section: hosts,
			title:   "the proxy wants a login",
			pattern: pat(`Proxy Authentication Required|Tunnel connection failed: 407`),
			cause:   "The proxy answered 407: it lets nobody through without user and password.",
			remedy:  "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT in the unit file (mode 0600), or have the builder's hosts exempted. Upstream's buildlet cannot log in at a proxy at all.",
		},
		{
			id: "proxy-refuses", program: program, section: hosts,
			title:   "the proxy does not let the connection through",
			pattern: pat(`Tunnel connection failed: (?P<status>[^'"()]+)|proxy error from WORD while dialing WORD: (?P<answer>[^{}]+)|(?:Get|Post|Head) "https://[^"]+": (?P<text>Forbidden|Bad Gateway|Service Unavailable|Gateway Timeout|Method Not Allowed|Not Found)\b`),
			cause:   "The proxy refused to connect to the host ({status,answer,text|see the line}).",
			remedy:  "Have the hosts allowed, port 443; gobuild doctor --for luci lists them and tries each through the proxy.",
		},
		{
			id: "proxy-unreachable", program: program, section: hosts,
			title:   "the proxy cannot be reached",
			pattern: pat(`proxyconnect tcp: (?:dial tcp )?(?P<why>[^{}"]+)|dialing proxy "(?P<proxy>WORD)" failed|(?:Unable to|Cannot) connect to proxy`),
			cause:   "HTTPS_PROXY is set, and that proxy does not answer: {why,proxy|see the line}.",
			remedy:  "Correct HTTPS_PROXY in the unit file, or unset it; NO_PROXY takes hosts out.",
		},
		{
			id: "tls-expired", program: program, section: trust,
			title:   "a server's certificate is out of date, or this machine's clock is",
			pattern: pat(`x509: certificate has expired or is not yet valid(?:: current time (?P<now>WORD))?`),
			cause:   "By this machine's clock ({now|now}) the certificate is not valid. With Google's hosts it is the clock.",
			remedy:  "Set the clock and keep it with NTP: gobuild doctor measures the difference. With a farm of your own renew its certificate.",
		},
		{
			id: "tls-name", program: program, section: trust,
			title:   "a server's certificate is for another name",
			pattern: pat(`x509: certificate is (?:not )?valid for (?P<names>[^{}"]+?), (?:but )?not (?P<want>WORD)|x509: cannot validate certificate for (?P<ip>WORD) because|x509: certificate relies on legacy Common Name field`),
			cause:   "The server that answers has a certificate for {names|other names}, not for {want,ip|the one that was called}.",
			remedy:  "Call it by a name that is in its certificate, or have one made for this name. If the host is Google's, something else answers in its place: gobuild doctor --for luci",
		},
		{
			id: "tls-authority", program: program, section: trust,
			title:   "a server's certificate comes from an authority that is not trusted here",
			pattern: pat(`(?:` + call + `.*)?(?:x509: certificate signed by unknown authority|x509: WORD certificate is not trusted|unable to get local issuer certificate|self[- ]signed certificate)`),
			cause:   "{url|The server}: its authority is not among this system's. Either the system has no list of authorities (package ca-certificates), or a proxy opens TLS, or the farm has an authority of its own.",
			remedy:  "Install ca-certificates. For an authority of your own set SSL_CERT_FILE (Linux, BSD, Solaris, AIX), or give gobuild --ca-file FILE; the Swarming bot wants REQUESTS_CA_BUNDLE.",
		},
		{
			id: "tls-plain", program: program, section: trust,
			title:   "the server does not speak TLS",
			pattern: pat(`first record does not look like a TLS handshake|server gave HTTP response to HTTPS client`),
			cause:   "A plain HTTP server answers where HTTPS is wanted.",
			remedy:  "Correct host and port. Upstream's programs use plain HTTP only for a token server at localhost:PORT.",
		},
		{
			id: "dns", program: program, section: hosts,
			title:   "a host name cannot be resolved",
			pattern: pat(`lookup (?P<host>WORD?)(?: on WORD)?: (?:no such host|server misbehaving|.*i/o timeout|.*[Tt]emporary failure)|Failed to resolve '(?P<name>[^']+)'|Name or service not known|nodename nor servname provided|Temporary failure in name resolution`),
			cause:   "{host,name|The name} is unknown, or the name server does not answer. Right after boot the network may not be up yet.",
			remedy:  "Look for a typing error, then at /etc/resolv.conf: gobuild doctor resolves all hosts that are needed. Start the service after the network (After=network-online.target).",
		},
		{
			id: "connection-refused", program: program, section: hosts,
			title:   "nothing listens at the address",
			pattern: pat(`dial tcp (?P<addr>WORD?): (?:connect: |connectex: .*)?` + osRefused + `|\[Errno \d+\] Connection refused`),
			cause:   "{addr|The host} answers, but has nothing at that port: the server is down, or the port is wrong, or a firewall refuses.",
			remedy:  "Correct host and port, or start the server; gobuild doctor tries the hosts that are needed.",
		},
		{
			id: "connection-cut", program: program, section: hosts,
			title:   "the connection was cut",
			pattern: pat(call + `.*(?:: EOF\b|unexpected EOF|connection reset by peer|forcibly closed by the remote host)|(?P<name>https?://[^\s"]+)": EOF\b|\b(?:RemoteDisconnected|ConnectionResetError)\(`),
			cause:   "{url,name|The server} took the connection and dropped it without an answer: a firewall that looks into TLS, a proxy without a way on, or a server that was just ending.",
			remedy:  "If it comes once, nothing; the programs try again. If always: gobuild doctor tries TCP, TLS and the proxy one by one.",
		},
		{
			id: "network-timeout", program: program, section: hosts,
			title:   "no answer from the network",
			pattern: pat(`dial tcp (?P<addr>WORD?): (?:connect: )?(?:i/o timeout|connection timed out|.*did not properly respond after a period)|net/http: TLS handshake timeout|ConnectTimeoutError|Read timed out|Client\.Timeout exceeded`),
			cause:   "Packets to {addr|the host} are lost: a firewall drops them, or the line is overloaded.",
			remedy:  "Open port 443 to the hosts that are needed, or set HTTPS_PROXY; gobuild doctor shows time and rate of each.",
		},
		{
			id: "network-unreachable", program: program, section: hosts,
			title:   "there is no route",
			pattern: pat(`network is unreachable|no route to host|Network is unreachable|No route to host`),
			cause:   "This machine has no way to that address; with an IPv6 address often no IPv6.",
			remedy:  "Look at the network's set-up (ip route), then: gobuild doctor",
		},
		{
			id: "disk-full", program: program, section: place,
			title:   "the disk is full",
			pattern: pat(`(?:(?:open|write|mkdir|flushing|rename) (?P<file>[^"<>|]+?): .*)?` + osDiskFull),
			cause:   "Writing {file|a file} failed: no room, no inodes, or a quota is used up.",
			remedy:  "Free space; a builder wants 20 GB. gobuild doctor shows room by file system. Old work directories, ~/.cache/go-build and ~/.cache/gopls are the usual eaters (golang/go#58967).",
		},
		{
			id: "read-only-disk", program: program, section: place,
			title:   "the file system is read-only",
			pattern: pat(`(?:(?:open|write|mkdir|rename) (?P<file>[^"<>|:]+): )?[Rr]ead-only file system`),
			cause:   "{file|A file} cannot be written: the file system is mounted read-only, on small boards often after an error of its card, or by ProtectSystem= in the unit file.",
			remedy:  "Look into the kernel's log for errors of the disk; in the unit file name the directory in ReadWritePaths=.",
		},
		{
			id: "out-of-memory", program: program, section: place,
			title:   "memory has run out",
			pattern: pat(`Out of memory: Killed process \d+ \((?P<name>[^()]+)\)|oom-kill|killed by the OOM killer|[Cc]annot allocate memory|runtime: out of memory|MemoryError\b|not enough memory resources`),
			cause:   "{name|A process} got no memory, or was ended by the kernel for lack of it.",
			remedy:  "A builder wants 1 GB or more. gobuild doctor shows the effective limit (physical, cgroup, ulimit); raise MemoryMax= or ulimit -d, add swap, or set GOGC=20 for tests (golang/go#67103).",
		},
		{
			id: "too-many-files", program: program, section: place,
			title:   "too many files are open",
			pattern: pat(`[Tt]oo many open files`),
			cause:   "The limit of open files is too low for builds.",
			remedy:  "Raise it to 4096 or more: LimitNOFILE= in the unit file, or ulimit -n; gobuild doctor shows the limit.",
		},
		{
			id: "too-many-processes", program: program, section: place,
			title:   "no further process may be started",
			pattern: pat(`(?:fork/exec WORD|newosproc|can't start new thread|fork failed).*(?:[Rr]esource temporarily unavailable|errno=11)|can't start new thread|failed to create new OS thread`),
			cause:   "The limit of processes and threads is reached.",
			remedy:  "Raise TasksMax= and LimitNPROC= in the unit file, or ulimit -u; look for processes that earlier tasks left behind.",
		},
		{
			id: "c-library-too-old", program: program, section: "LUCI protocol, section 9.9",
			title:   "a program is built for a newer C library",
			pattern: pat("version `(?P<version>GLIBC_[\\d.]+)' not found"),
			cause:   "A downloaded program needs {version|a version} of the C library, which this system does not have.",
			remedy:  "Upgrade the system's release; gobuild itself needs no C library.",
		},
		{
			id: "supervisor-gave-up", program: program, section: "LUCI protocol, section 8",
			title:   "systemd no longer restarts the service",
			pattern: pat(`(?:(?P<unit>[\w@.-]+\.service): )?Start request repeated too quickly`),
			cause:   "{unit|The service} failed too often within a few seconds, and systemd gave it up for good. bootstrapswarm and stage0 end at every failure and are meant to be started for ever.",
			remedy:  "Mend the first failure, then systemctl reset-failed and start. In the unit: Restart=always, RestartSec=30, StartLimitIntervalSec=0.",
		},
		{
			id: "supervisor-cannot-start", program: program, section: "LUCI protocol, section 8",
			title:   "systemd cannot start the program",
			pattern: pat(`status=(?P<status>203/EXEC|217/USER|200/CHDIR|226/NAMESPACE)`),
			cause:   "systemd reports {status|an error before the start}: 203 the program is not there or may not run, 217 there is no such user, 200 no such working directory, 226 a path of the unit is missing.",
			remedy:  "Correct ExecStart= (an absolute path), User= or WorkingDirectory= in the unit file.",
		},
	}
}
