package api

import "net/url"

// The routes. A path ending in a name in braces is a pattern of
// http.ServeMux.
const (
	RouteHealthz   = "/healthz"           // GET: "ok"
	RouteNetcheck  = "/netcheck"          // GET: "ok"; what stage0 waits for
	RouteReverse   = "/reverse"           // GET: registration of a worker (build protocol, section 2)
	RouteRevdial   = "/revdial"           // GET: a worker's further connections
	RouteDownloads = "/dl/"               // + buildlet.GOOS-GOARCH, .sha256 or .sig behind it; GET: the file
	RouteStatus    = "/status"            // GET: status page
	RouteBuilders  = "/builders"          // GET: page of host and builder types; ?mode=json
	RouteVersion   = "/api/v1/version"    // GET: Version
	RouteHosts     = "/api/v1/hosts"      // GET: Pool
	RouteHost      = "/api/v1/hosts/"     // + host name
	RouteTypes     = "/api/v1/builders"   // GET: the configuration, in the shape of /builders?mode=json
	RouteWhoami    = "/api/v1/whoami"     // GET: Whoami; needs a key
	RouteInstances = "/api/v1/instances"  // POST CreateRequest: CreateEvent stream; GET: []Instance; need a user key
	RouteInstance  = "/api/v1/instances/" // + ID; GET: Instance; DELETE; need the owner's key
	// PathAvailability is behind a host's route; POST Availability: HostAvailability;
	// needs the builder key of its host type, or a maintainer's key.
	PathAvailability = "/availability"
	PathKeepAlive    = "/keepalive"           // behind an instance's route; POST: Instance
	PathBuildlet     = "/buildlet"            // behind an instance's route; the buildlet protocol
	RouteRequests    = "/api/v1/requests"     // POST NewRequest: Request, needs a proof; GET: []Request, ?all=1 with those that are done
	RouteRequest     = "/api/v1/requests/"    // + ID; GET: Request; needs a proof or a maintainer's key
	PathCollect      = "/collect"             // behind a request's route; POST: Request with what was granted; needs a proof
	PathApprove      = "/approve"             // behind a request's route; POST Approval: Request; needs a maintainer's key
	PathReject       = "/reject"              // behind a request's route; POST Rejection: Request; needs a maintainer's key
	ContentStream    = "application/x-ndjson" // content type of a CreateEvent stream
)

// InstancePath returns the path of an instance's route followed by suffix.
func InstancePath(id, suffix string) string {
	return RouteInstance + url.PathEscape(id) + suffix
}
