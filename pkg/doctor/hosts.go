package doctor

import (
	"cmp"
	"net/url"
	"strings"

	"gobuild/pkg/api"
)

// Host is a server that a builder needs.
type Host struct {
	// Name is the end of the check's name, reach/NAME; Title says what the
	// host is for.
	Name, Title string
	// URL is what is asked for, by GET.
	URL string
	// Target is the kind of farm that needs it.
	Target Target
	// Status is the answer's HTTP status that it takes; 0 means any: whoever
	// answers is there.
	Status int
	// Download is how many bytes of the answer are read to measure the rate;
	// 0 means a few.
	Download int64
}

// The hosts of the Go project's farm (LUCI protocol, section 1).
const (
	tokenServer = "luci-token-server.appspot.com"
	swarming    = "chromium-swarm.appspot.com"
	// goModule is a file of the module proxy of a size to measure the rate by.
	goModule = "/golang.org/x/sys/@v/v0.30.0.zip"
	// storageObject is one of the kind that tasks download, for the same.
	storageObject = "/golang/go1.21.0.src.tar.gz"
)

// DefaultHosts returns the servers that a machine with these options needs.
func DefaultHosts(o Options) []Host {
	getenv := o.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	hosts := []Host{
		{Name: "token-server", Title: "token server", URL: serverURL(cmp.Or(o.Backend, tokenServer), "/"), Target: TargetLUCI},
		{Name: "swarming", Title: "Swarming server", URL: serverURL(cmp.Or(o.Swarming, swarming), "/swarming/api/v1/bot/server_ping"), Target: TargetLUCI, Status: 200},
		{Name: "buildbucket", Title: "Buildbucket", URL: "https://cr-buildbucket.appspot.com/", Target: TargetLUCI},
		{Name: "cipd", Title: "CIPD packages", URL: "https://chrome-infra-packages.appspot.com/", Target: TargetLUCI},
		{Name: "storage", Title: "Cloud Storage", URL: "https://storage.googleapis.com" + storageObject, Target: TargetLUCI, Download: 512 << 10},
		{Name: "rbe", Title: "remote execution", URL: "https://remotebuildexecution.googleapis.com/", Target: TargetLUCI},
		{Name: "goproxy", Title: "Go module proxy", URL: moduleProxy(getenv("GOPROXY")) + goModule, Target: TargetLUCI, Status: 200, Download: 512 << 10},
	}
	if o.Coordinator != "" {
		// Of its answers this is the longest that needs no key.
		hosts = append(hosts, Host{Name: "coordinator", Title: "coordinator", URL: strings.TrimRight(o.Coordinator, "/") + api.RouteBuilders + "?mode=json", Target: TargetCoordinator, Status: 200, Download: 512 << 10})
	}
	return hosts
}

// serverURL returns the URL of a path on a LUCI server given as HOST[:PORT].
// Upstream's programs speak plain HTTP to a server of these prefixes (LUCI
// protocol, section 7.2).
func serverURL(server, path string) string {
	if strings.HasPrefix(server, "localhost:") || strings.HasPrefix(server, "127.0.0.1:") {
		return "http://" + server + path
	}
	return "https://" + server + path
}

// moduleProxy returns the first server of the setting GOPROXY without a name
// and password in it, else the go command's default.
func moduleProxy(setting string) string {
	for entry := range strings.FieldsFuncSeq(setting, func(r rune) bool { return r == ',' || r == '|' }) {
		u, err := url.Parse(strings.TrimSpace(entry))
		if err == nil && u.Scheme == "https" && u.Host != "" {
			u.User = nil
			return strings.TrimRight(u.String(), "/")
		}
	}
	return "https://proxy.golang.org"
}
