package doctor

// tokendCauses are the failures of the machine token daemon. Of a request that
// fails for good it says the reason twice; only the last line is counted.
func tokendCauses() []knownCause {
	const (
		program = "luci_machine_tokend"
		setup   = `Failed to initialize the client - `
		final   = `Failed to generate a new token - `
		save    = `Failed to save token file - `
		retried = `RPC failed transiently .*`
	)
	return []knownCause{
		{
			id: "tokend-usage", program: program, section: "LUCI protocol, section 7.1",
			title:   "the token daemon was called without a flag that it needs",
			pattern: pat(`(?P<flag>-(?:pkey-pem|cert-pem|backend|token-file)) is required`),
			cause:   "{flag|One of -backend, -cert-pem, -pkey-pem and -token-file} was not given. -token-file has no default, whatever the wiki's example leaves out.",
			remedy:  "Give all four: luci_machine_tokend -backend luci-token-server.appspot.com -cert-pem FILE -pkey-pem FILE -token-file /var/lib/luci_machine_tokend/token.json",
		},
		{
			id: "tokend-file-missing", program: program, section: "LUCI protocol, section 7.3",
			title:   "the private key or certificate is not there",
			pattern: pat(setup + `open (?P<file>[^"<>|]+?): .*` + osNotFound),
			cause:   "The token daemon was told to read {file|the private key or the certificate}, and there is no such file. A relative path is meant from the directory that cron or the supervisor starts in.",
			remedy:  "Give absolute paths for -pkey-pem and -cert-pem; then see that the two belong together: gobuild csr check CERTIFICATE --key KEY",
		},
		{
			id: "tokend-file-unreadable", program: program, section: "LUCI protocol, section 7.9",
			title:   "the token daemon may not read its key or certificate",
			pattern: pat(setup + `open (?P<file>[^"<>|]+?): .*` + osDenied),
			cause:   "The daemon's user may not read {file|the key or the certificate}. The key should be readable by that user alone, and never by the swarming user.",
			remedy:  "Run the daemon as root, or give the file to its user with mode 0600; gobuild doctor --for luci shows owner and mode.",
		},
		{
			id: "tokend-key-type", program: program, section: "LUCI protocol, section 7.3",
			title:   "the private key is of a kind that the token daemon does not take",
			pattern: pat(`not a supported private key type - "(?P<type>[A-Z0-9 ]+)"`),
			cause:   "The file holds PEM of type {type|another kind}. The daemon takes only RSA PRIVATE KEY, which is RSA in PKCS#1 form: not PKCS#8, not EC, not a certificate.",
			remedy:  "An RSA key is converted with: openssl rsa -traditional -in KEY -out NEW. For any other make a new key and request: gobuild csr HOSTNAME. What a file is says: gobuild csr check FILE",
		},
		{
			id: "tokend-key-pem", program: program, section: "LUCI protocol, section 7.3",
			title:   "the private key file is not one clean PEM block",
			pattern: pat(`not a valid private key PEM`),
			cause:   "The daemon wants exactly one PEM block. A byte order mark before it, or anything after it, even one empty line, makes it refuse the file.",
			remedy:  "Find what is there besides the block with: gobuild csr check FILE. Leave only the lines from BEGIN to END.",
		},
		{
			id: "tokend-cert-pem", program: program, section: "LUCI protocol, section 7.3",
			title:   "the certificate file is not one clean PEM block",
			pattern: pat(`not a valid certificate PEM`),
			cause:   "The daemon wants exactly one certificate. A chain, a byte order mark, or anything after the block, even one empty line, makes it refuse the file.",
			remedy:  "Find what is there besides the certificate with: gobuild csr check FILE. Keep only the builder's own certificate.",
		},
		{
			id: "tokend-cert-type", program: program, section: "LUCI protocol, section 7.3",
			title:   "the certificate file holds something else",
			pattern: pat(`expecting "CERTIFICATE" PEM, got "(?P<type>[A-Z0-9 ]+)"`),
			cause:   "-cert-pem names a file with PEM of type {type|another kind}. A CERTIFICATE REQUEST is what you sent to the Go team; the certificate is what they sent back.",
			remedy:  "Save the certificate from their answer and name that file; look at it first: gobuild csr check FILE --hostname HOSTNAME",
		},
		{
			id: "tokend-mismatch", program: program, section: "LUCI protocol, section 7.3",
			title:   "certificate and private key do not belong together",
			pattern: pat(`the certificate doesn't match the private key`),
			cause:   "The certificate was issued for another key. Often genbotcert was run a second time, which overwrites the key that the request was made with.",
			remedy:  "Look for the first key (gobuild csr check CERTIFICATE --key KEY tells which fits). If it is lost, make a new key and request with gobuild csr HOSTNAME and ask for a new certificate.",
		},
		{
			id: "tokend-untrusted", program: program, section: "LUCI protocol, section 4",
			title:   "the token server does not trust the certificate",
			pattern: pat(final + `token server error UNTRUSTED_CERTIFICATE`),
			cause:   "One answer for several reasons: the certificate has expired or is not valid yet, its issuer is not an authority of this server, it was revoked, or the server has not loaded the revocation list.",
			remedy:  "Check dates, issuer and name here: gobuild csr check CERTIFICATE --hostname HOSTNAME. If all is well, see that -backend is the server whose authority issued it, and ask the Go team whether it was revoked.",
		},
		{
			id: "tokend-clock", program: program, section: "LUCI protocol, section 4",
			title:   "the clock is wrong",
			pattern: pat(final + `token server error BAD_TIMESTAMP`),
			cause:   "The request's time differs by more than 10 minutes from the token server's. The request is signed once a run, so a -timeout of more than 10 minutes does the same.",
			remedy:  "Set the clock and keep it with NTP; gobuild doctor --for luci measures the difference. Leave -timeout at one minute.",
		},
		{
			id: "tokend-certificate-format", program: program, section: "LUCI protocol, section 4",
			title:   "the token server cannot parse the certificate",
			pattern: pat(final + `token server error BAD_CERTIFICATE_FORMAT`),
			cause:   "What the server got is not an X.509 certificate that it can read.",
			remedy:  "Look at the file: gobuild csr check CERTIFICATE. Save it anew from the Go team's answer, without changes by an editor or a browser.",
		},
		{
			id: "tokend-signature", program: program, section: "LUCI protocol, section 4",
			title:   "the signature of the request is wrong",
			pattern: pat(final + `token server error BAD_SIGNATURE`),
			cause:   "The request does not verify with the certificate's public key: it was signed with another key, or something between changed it.",
			remedy:  "See that key and certificate fit: gobuild csr check CERTIFICATE --key KEY. If they do, look for a proxy that rewrites requests.",
		},
		{
			id: "tokend-domain", program: program, section: "LUCI protocol, section 4",
			title:   "the name in the certificate is not allowed",
			pattern: pat(final + `token server error BAD_TOKEN_ARGUMENTS(?: - (?P<text>[^{}]+))?`),
			cause:   "The name that the certificate was issued for cannot get a machine token: {text|no full name, a domain that the server does not know, or a bad serial number}.",
			remedy:  "The name has to be HOSTNAME.bots.golang.org; gobuild csr check CERTIFICATE --hostname HOSTNAME tells what is wrong with it. A new request is made with gobuild csr HOSTNAME.",
		},
		{
			id: "tokend-unsupported", program: program, section: "LUCI protocol, section 4",
			title:   "the token server does not know this kind of request",
			pattern: pat(final + `token server error (?P<code>UNSUPPORTED_SIGNATURE|UNSUPPORTED_TOKEN_TYPE)`),
			cause:   "The server answered {code|that it does not support the request}: the daemon asks for a signature or a token type that this server does not know.",
			remedy:  "Install the current go.chromium.org/luci/tokenserver/cmd/luci_machine_tokend. See that -backend names a token server.",
		},
		{
			id: "tokend-minting", program: program, section: "LUCI protocol, section 4",
			title:   "the token server could not sign the token",
			pattern: pat(final + `token server error MACHINE_TOKEN_MINTING_ERROR`),
			cause:   "The request was good; the server failed to make the token.",
			remedy:  "Nothing to mend here: the next run in 10 minutes tries again. If it lasts for hours, tell the Go team.",
		},
		{
			id: "tokend-other-answer", program: program, section: "LUCI protocol, section 4",
			title:   "the token server refused the request",
			pattern: pat(final + `token server error (?P<code>WORD)`),
			cause:   "The server answered with error {code|code}, which is none of those that the protocol has.",
			remedy:  "See that -backend names a token server, and that the daemon is current. gobuild doctor --for luci asks the server itself.",
		},
		{
			id: "tokend-forbidden", program: program, section: "LUCI protocol, section 2",
			title:   "something on the way forbids the request",
			pattern: pat(final + `rpc error: code = PermissionDenied`),
			cause:   "The request was answered with 403. The token server asks for no login, so this comes from a firewall, a proxy, or another server than the one meant. It is not tried again.",
			remedy:  "See that -backend is luci-token-server.appspot.com, and that HTTPS_PROXY lets it through; gobuild doctor --for luci shows who answers.",
		},
		{
			id: "tokend-unauthenticated", program: program, section: "LUCI protocol, section 2",
			title:   "something on the way wants a login",
			pattern: pat(final + `rpc error: code = Unauthenticated`),
			cause:   "The request was answered with 401. The token server asks for no login, so this comes from a proxy or from another server.",
			remedy:  "See that -backend is luci-token-server.appspot.com, and that HTTPS_PROXY carries the proxy's user and password if it wants them.",
		},
		{
			id: "tokend-quota", program: program, section: "LUCI protocol, section 2",
			title:   "the token server has had too many requests",
			pattern: pat(final + `rpc error: code = ResourceExhausted`),
			cause:   "The server's quota is used up. The daemon does not try again in this run.",
			remedy:  "Wait for the next run. Run the daemon every 10 minutes, not in a loop without a pause.",
		},
		{
			id: "tokend-bad-request", program: program, section: "LUCI protocol, section 2",
			title:   "the server does not understand the request",
			pattern: pat(final + `rpc error: code = (?P<code>InvalidArgument|Unimplemented|NotFound)`),
			cause:   "The server speaks the protocol, but answers {code|that it cannot handle the request}: it is no token server, or one of another version.",
			remedy:  "See that -backend is luci-token-server.appspot.com, without https:// and without a path, and that the daemon is current.",
		},
		{
			id: "tokend-not-a-token-server", program: program, section: "LUCI protocol, section 2",
			title:   "what answers is not a token server",
			pattern: pat(`no X-Prpc-Grpc-Code header, HTTP status (?P<status>\d{3})|` + retried + `invalid X-Prpc-Grpc-Code|` + final + `.*prpc: bad response content type`),
			cause:   "An answer with status {status|200 or 404} lacks what a token server's has: it comes from a web server, a proxy's sign-in page, a firewall, or a wrong -backend.",
			remedy:  "See that -backend is luci-token-server.appspot.com, without https:// and without a path; gobuild doctor --for luci shows who answers, through the proxy that is set.",
		},
		{
			id: "tokend-unavailable", program: program, section: "LUCI protocol, section 7.5",
			title:   "the token server is not available",
			pattern: pat(retried + `code = (?:Unavailable|Internal desc = (?:<|Internal server error))`),
			cause:   "The server, or a proxy before it, answered with an error of its own (500, 502 or 503). Such answers are tried again until -timeout ends; a token on disk lasts 20 minutes at least.",
			remedy:  "Wait for the next run. If it lasts, look whether a proxy answers in the server's place: gobuild doctor --for luci",
		},
		{
			id: "tokend-timeout", program: program, section: "LUCI protocol, section 7.5",
			title:   "the token server gave no answer in time",
			pattern: pat(final + `rpc error: code = DeadlineExceeded`),
			cause:   "Every attempt failed until -timeout ended. Here that is all the log says; the reason of each attempt stands in the lines before, and in log_dump of the status file.",
			remedy:  "Run the daemon by hand with -timeout 20s and read its warnings; gobuild doctor --for luci tries DNS, TCP and TLS one by one.",
			general: []string{program, anyProgram},
		},
		{
			id: "tokend-cancelled", program: program, section: "LUCI protocol, section 7.5",
			title:   "the token daemon was stopped while it was asking",
			pattern: pat(final + `rpc error: code = Canceled`),
			cause:   "It got SIGINT or SIGTERM before an answer came. Nothing is left half written.",
			remedy:  "See that no supervisor or cron wrapper ends it before -timeout (one minute).",
		},
		{
			id: "tokend-empty-answer", program: program, section: "LUCI protocol, section 7.7",
			title:   "the token server answered without a token",
			pattern: pat(`bad response, empty luci_machine_token field|token server didn't return a token`),
			cause:   "The answer says success, but holds no machine token: another server, or another version of it.",
			remedy:  "See that -backend is luci-token-server.appspot.com and that the daemon is current.",
		},
		{
			id: "tokend-save-missing-dir", program: program, section: "LUCI protocol, section 7.6",
			title:   "the directory of the token file is not there",
			pattern: pat(save + `open (?P<file>[^"<>|]+?)\.\d+_\d+_\d+\.tmp: .*` + osNotFound),
			cause:   "The token came, but the directory of {file|the token file} does not exist; the daemon makes none.",
			remedy:  "Make it: install -d -m 0755 /var/lib/luci_machine_tokend, owned by the daemon's user.",
		},
		{
			id: "tokend-save-denied", program: program, section: "LUCI protocol, section 7.6",
			title:   "the token file may not be written",
			pattern: pat(save + `(?:open|rename) (?P<file>[^"<>|]+?)\.\d+_\d+_\d+\.tmp\b.*` + osDenied),
			cause:   "The token came, but the daemon's user may not write {file|the token file} or into its directory. On Windows a program that keeps the file open does the same.",
			remedy:  "Give the directory to the daemon's user, mode 0755; the swarming user only reads there. gobuild doctor --for luci shows owner and mode.",
		},
		{
			id: "tokend-save-failed", program: program, section: "LUCI protocol, section 7.6",
			title:   "the token could not be saved",
			pattern: pat(save + `(?P<text>[^{}]+)`),
			cause:   "The token came, but writing it failed: {text|see the line}.",
			remedy:  "Look at the file system of -token-file: room, read-only mount, quota. The bot goes on with the old token until that expires.",
			general: []string{anyProgram},
		},
		{
			id: "tokend-token-file-odd", program: program, section: "LUCI protocol, section 7.6",
			title:   "the token file is not what the daemon wrote",
			pattern: pat(`Failed to unmarshal (?:token file "(?P<file>[^"]+)"|tokend_state)`),
			cause:   "{file|The token file} holds something that the daemon does not know, such as a field of somebody else. It takes the file for missing and asks for a new token.",
			remedy:  "Let nothing but the daemon write that file. If this shows at every run, find what changes it in between.",
		},
		{
			id: "tokend-short-life", program: program, section: "LUCI protocol, section 7.4",
			title:   "the token lives for too short a time",
			pattern: pat(`Returned token lifetime is unexpectedly too short \((?P<life>WORD)\)`),
			cause:   "The token expires {life|less than five minutes} after it was made, by this machine's clock. Mostly the clock is ahead of the server's.",
			remedy:  "Set the clock and keep it with NTP; gobuild doctor --for luci measures the difference.",
		},
		{
			id: "tokend-token-expired", program: program, section: "LUCI protocol, section 7.7",
			title:   "the bot's token has expired meanwhile",
			pattern: pat(`the token had expired (?P<ago>WORD) before this run`),
			cause:   "The status file says that the token on disk was {ago|some time} past its end when this run failed: the bot can no longer log in.",
			remedy:  "Mend what makes the daemon fail; the bot picks the new token up by itself within minutes.",
		},
		{
			id: "tokend-status-unsaved", program: program, section: "LUCI protocol, section 7.7",
			title:   "the status file could not be written",
			pattern: pat(`Failed to save the status - (?P<text>[^{}]+)`),
			cause:   "The daemon could not write -status-file: {text|see the line}. The token itself is not touched by that.",
			remedy:  "Make the directory of -status-file, writable by the daemon's user.",
		},
		{
			id: "tokend-failed", program: program, section: "LUCI protocol, section 7.7",
			title:   "the token daemon failed",
			pattern: pat(`(?:` + setup + `|` + final + `)(?P<text>[^{}]+)`),
			cause:   "It gives a reason that is in no table: {text|see the line}.",
			remedy:  "Try the parts on their own: gobuild csr check CERTIFICATE --key KEY for the files, gobuild doctor --for luci for the network.",
			general: []string{program, anyProgram},
		},
	}
}

// anyProgram is the Program of causes that lie in the machine or its network.
const anyProgram = "any program"
