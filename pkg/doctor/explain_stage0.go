package doctor

// stage0Causes are the failures of stage0.
func stage0Causes() []knownCause {
	const program = "stage0"
	return []knownCause{
		{
			id: "stage0-no-network", program: program, section: "build protocol, section 6",
			title:   "stage0 finds no network",
			pattern: pat(`network didn't become reachable`),
			cause:   "http://farmer.golang.org/netcheck gave no answer at all for 30 seconds (5 minutes on Windows).",
			remedy:  "Start it after the network is up, or give -network-wait 5m. HTTP_PROXY is honoured; gobuild doctor --for coordinator tries the hosts.",
		},
		{
			id: "stage0-no-buildlet", program: program, section: "build protocol, section 6",
			title:   "there is no buildlet at that address",
			pattern: pat(`try \d/3 download failure: HTTP (?:response|status code) of (?P<url>WORD) was (?:404|403|410)`),
			cause:   "{url|The address} does not exist: no buildlet was uploaded for this port, or META_BUILDLET_BINARY_URL is wrong.",
			remedy:  "A maintainer adds the port to cmd/buildlet/Makefile and uploads it; until then set META_BUILDLET_BINARY_URL. A gobuild coordinator has it at /dl/buildlet.GOOS-GOARCH",
		},
		{
			id: "stage0-no-date", program: program, section: "build protocol, section 6",
			title:   "the server of the buildlet gives no date",
			pattern: pat(`try \d/3 download failure: invalid or missing Last-Modified header`),
			cause:   "stage0 keeps the file's date to know a new one, and takes no answer without Last-Modified.",
			remedy:  "Serve the file with a server that sends Last-Modified, as every server of plain files does.",
		},
		{
			id: "stage0-download", program: program, section: "build protocol, section 6",
			title:   "the buildlet could not be downloaded",
			pattern: pat(`try \d/3 download failure: (?P<why>[^{}]+)`),
			cause:   "All three tries follow each other at once and fail alike: {why|see the line}. The old buildlet may be gone by then.",
			remedy:  "Let a supervisor start stage0 again after a pause of a minute.",
			general: []string{program, anyProgram},
		},
		{
			id: "stage0-wrong-port", program: program, section: "build protocol, section 6",
			title:   "the buildlet is not for this machine",
			pattern: pat(`Error running buildlet: fork/exec (?P<file>WORD): (?:exec format error|.*not a valid Win32 application)`),
			cause:   "{file|The file} is no program for this system: a buildlet of another port, or a page that was saved in its place.",
			remedy:  "Look with file(1) what it is, and correct META_BUILDLET_BINARY_URL.",
		},
		{
			id: "stage0-noexec", program: program, section: "build protocol, section 6",
			title:   "the buildlet may not be executed",
			pattern: pat(`Error running buildlet: fork/exec (?P<file>WORD): ` + osDenied),
			cause:   "{file|The file} lies on a file system that is mounted noexec, or a security policy forbids it.",
			remedy:  "Start stage0 in a directory from which programs may run.",
		},
		{
			id: "stage0-unknown-env", program: program, section: "build protocol, section 6",
			title:   "stage0 does not know this builder",
			pattern: pat(`unknown/unspecified \$GO_BUILDER_ENV value "(?P<env>[^"]{0,100})"`),
			cause:   "On this port stage0 works only for host types that are written into it, and GO_BUILDER_ENV is \"{env|}\".",
			remedy:  "Set GO_BUILDER_ENV to the host type; a new one has to be added to cmd/buildlet/stage0. gobuild stage0 takes any.",
		},
		{
			id: "stage0-buildlet-failed", program: program, section: "build protocol, section 6",
			title:   "the buildlet ended with an error",
			pattern: pat(`Error running buildlet: (?P<why>[^{}]+)`),
			cause:   "It ended with: {why|an error}. Its own lines before say why.",
			remedy:  "Explain those: gobuild doctor --explain LOGFILE. Let a supervisor start stage0 again after a pause.",
			general: []string{program, "buildlet", anyProgram},
		},
	}
}
