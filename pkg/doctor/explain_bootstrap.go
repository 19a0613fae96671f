package doctor

// bootstrapCauses are the failures of bootstrapswarm, up to the start of the
// Swarming bot.
func bootstrapCauses() []knownCause {
	const (
		program = "bootstrapswarm"
		answer  = `non-200 OK status code: `
		start   = `command execution .*`
	)
	return []knownCause{
		{
			id: "bootstrap-no-hostname", program: program, section: "LUCI protocol, section 8",
			title:   "bootstrapswarm does not know the host name",
			pattern: pat(`Hostname is required when not on GCE`),
			cause:   "Neither -hostname nor the variable HOSTNAME is set; supervisors and cron set none.",
			remedy:  "Start it with -hostname HOSTNAME: the name in the certificate without .bots.golang.org.",
		},
		{
			id: "bootstrap-no-token-file", program: program, section: "LUCI protocol, section 8",
			title:   "there is no machine token",
			pattern: pat(`unable to read file "(?P<file>[^"]+)": .*` + osNotFound),
			cause:   "{file|The token file} does not exist: the token daemon has not run, has failed, or writes elsewhere.",
			remedy:  "Look into the token daemon's log (gobuild doctor --explain LOGFILE reads that, too). If its -token-file is another, set LUCI_MACHINE_TOKEN to that path, for the bot as well.",
		},
		{
			id: "bootstrap-token-unreadable", program: program, section: "LUCI protocol, section 7.9",
			title:   "the swarming user may not read the machine token",
			pattern: pat(`unable to read file "(?P<file>[^"]+)": .*` + osDenied),
			cause:   "{file|The token file} cannot be read by the user that runs bootstrapswarm. A daemon with umask 077 writes it with mode 0600.",
			remedy:  "Run the token daemon with umask 022, so that the file is 0644 and its directory 0755; gobuild doctor --for luci shows who can read it.",
		},
		{
			id: "bootstrap-token-bad", program: program, section: "LUCI protocol, section 7.6",
			title:   "the token file holds no token",
			pattern: pat(`unable to (?:unmarshal token|retrieve machine token from token file) (?P<file>[^"<>|:]+)`),
			cause:   "{file|The file} is not the JSON that the token daemon writes, or lacks luci_machine_token.",
			remedy:  "See that LUCI_MACHINE_TOKEN names the daemon's -token-file, not its -status-file; then let the daemon write it anew with -force-refresh.",
		},
		{
			id: "bootstrap-bad-token", program: program, section: "LUCI protocol, section 6",
			title:   "Swarming does not accept the machine token",
			pattern: pat(answer + `401\b`),
			cause:   "Mostly the token has expired, because the token daemon no longer runs; bootstrapswarm does not look at the date. A wrong clock, or a token of another server, does the same.",
			remedy:  "See when the token was written and until when it is good: gobuild doctor --for luci. Run the token daemon every 10 minutes, from cron or a timer.",
		},
		{
			id: "bootstrap-no-token-sent", program: program, section: "LUCI protocol, section 10.2",
			title:   "the request for the bot came without a token",
			pattern: pat(answer + `403\b.*anonymous:anonymous`),
			cause:   "Swarming saw no machine token. Something between, a proxy for instance, drops the header.",
			remedy:  "Let the proxy pass X-Luci-Machine-Token, or go around it: NO_PROXY=.appspot.com",
		},
		{
			id: "bootstrap-wrong-bot", program: program, section: "LUCI protocol, section 10.2",
			title:   "host name and certificate do not agree, or the bot is not set up yet",
			pattern: pat(answer + `403\b.*the caller "bot:(?P<identity>WORD?)" doesn't have server-level permission`),
			cause:   "The token is good and says {identity|who you are}, but the name given with -hostname is another, is written with capitals or as a full name; or the Go team has not entered the bot yet.",
			remedy:  "-hostname must be the certificate's name without .bots.golang.org: gobuild csr check CERTIFICATE --hostname HOSTNAME. If they agree, ask in the builder's issue whether the bot is configured.",
		},
		{
			id: "bootstrap-forbidden", program: program, section: "LUCI protocol, section 10.2",
			title:   "something forbids the download of the bot",
			pattern: pat(answer + `403\b`),
			cause:   "The answer 403 is not worded as Swarming does it: it comes from a firewall, a proxy, or another server than the one meant.",
			remedy:  "See that -swarming is chromium-swarm.appspot.com; gobuild doctor --for luci shows who answers.",
		},
		{
			id: "bootstrap-status", program: program, section: "LUCI protocol, section 8",
			title:   "the bot could not be downloaded",
			pattern: pat(answer + `(?P<status>\d{3}[A-Za-z ]{0,40}?)(?: body|$)`),
			cause:   "The server answered {status|with an error}. bootstrapswarm does not try again.",
			remedy:  "See that -swarming names a Swarming server, without https://. Let a supervisor start bootstrapswarm again after a pause.",
		},
		{
			id: "bootstrap-no-python", program: program, section: "LUCI protocol, section 9.2",
			title:   "there is no python3",
			pattern: pat(`exec: "python3": executable file not found in`),
			cause:   "The bot is started as python3, found through PATH, and PATH has none. The PATH of a supervisor or of cron is shorter than that of a shell.",
			remedy:  "Install Python 3.7 to 3.13 under the name python3, and set PATH in the unit file. gobuild doctor --for luci names the interpreter that is found.",
		},
		{
			id: "bootstrap-bot-killed", program: program, section: "LUCI protocol, section 9.4",
			title:   "the Swarming bot was killed",
			pattern: pat(start + `: signal: (?P<signal>[a-z ]+)`),
			cause:   "The bot ended by a signal: {signal|unknown}. \"killed\" is mostly the kernel, out of memory, or a supervisor that lost patience; \"terminated\" comes while the host reboots.",
			remedy:  "Look for \"Out of memory\" in the kernel's log. Give the bot minutes to stop: it finishes its task first.",
			general: []string{anyProgram},
		},
		{
			id: "bootstrap-bot-failed", program: program, section: "LUCI protocol, section 9.4",
			title:   "the Swarming bot ended with an error",
			pattern: pat(start + `: exit status (?P<code>\d+)`),
			cause:   "python3 ended with status {code|1}; the reason stands in the lines before, or in logs/swarming_bot.log in the bot's directory.",
			remedy:  "Explain that log: gobuild doctor --explain ~/.swarming/logs/swarming_bot.log. Let a supervisor start bootstrapswarm again after a pause.",
			general: []string{program, "swarming bot", anyProgram},
		},
		{
			id: "bootstrap-cannot-save", program: program, section: "LUCI protocol, section 8",
			title:   "the bot could not be saved",
			pattern: pat(`unable to save swarming bot to disk: (?P<text>[^{}]+)`),
			cause:   "The bot is kept in ~/.swarming, and that failed: {text|see the line}. The home directory has to exist and belong to the user.",
			remedy:  "Give the swarming user a home directory of its own, and set HOME in the unit file (USERPROFILE on Windows).",
			general: []string{anyProgram},
		},
		{
			id: "bootstrap-gce", program: program, section: "LUCI protocol, section 8",
			title:   "bootstrapswarm takes this machine for a Google cloud machine",
			pattern: pat(`unable to retrieve GCE Machine Token`),
			cause:   "Something answers as Google's metadata server, or GCE_METADATA_HOST is set, so the certificate's token is not used; and then the cloud's token could not be had.",
			remedy:  "Unset GCE_METADATA_HOST. If another cloud answers for metadata.google.internal, block that name for the swarming user.",
		},
	}
}
