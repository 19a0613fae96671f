package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-typo", Severity: lint.Warning, Title: "a variable with a name one letter off a known one",
		Why: "A variable with a wrong name is not an error anywhere: it is just not read. The known names are those of " +
			"the go command (internal/cfg.KnownEnv), the runtime, cmd/dist, and the build farm's own.",
		Before: `env: []string{"GO_TEST_TIMEOUT_SCAL=5"}`,
		After:  `env: []string{"GO_TEST_TIMEOUT_SCALE=5"}`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(_ *buildconfig.Record, list []envVar) {
			for _, e := range list {
				p.envTypo(e)
			}
		})
	},
})

func (p *Pass) envTypo(e envVar) {
	if !e.Pair || e.Name != strings.TrimSpace(e.Name) || knownVar(e.Name) || knownVar(strings.ToUpper(e.Name)) {
		return
	}
	var near []string
	for _, name := range knownVars {
		// Short names and those of other programs have neighbours that are
		// names too.
		if len(name) > len("GOOS") && (strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO")) && oneOff(e.Name, name) {
			near = append(near, name)
		}
	}
	if len(near) == 0 {
		return
	}
	var fix *lint.Fix
	if len(near) == 1 {
		text := near[0] + "=" + e.Value
		fix = p.setText(e.Node, text, "write "+text)
	}
	p.ReportFix(e.Node, fix, "nothing reads the environment variable %s; did you mean %s?", e.Name, strings.Join(near, " or "))
}

// knownVar reports whether something reads an environment variable of this
// name.
func knownVar(name string) bool {
	return slices.Contains(knownVars, name) || strings.HasPrefix(name, "CC_FOR_") || strings.HasPrefix(name, "CXX_FOR_")
}

// knownVars are the variables of cmd/go, the runtime and the standard library,
// cmd/dist, the build scripts, the coordinator, the buildlet and its images.
var knownVars = strings.Fields(`
	AR CC CGO_CFLAGS CGO_CFLAGS_ALLOW CGO_CFLAGS_DISALLOW CGO_CPPFLAGS CGO_CPPFLAGS_ALLOW CGO_CPPFLAGS_DISALLOW
	CGO_CXXFLAGS CGO_CXXFLAGS_ALLOW CGO_CXXFLAGS_DISALLOW CGO_ENABLED CGO_FFLAGS CGO_FFLAGS_ALLOW
	CGO_FFLAGS_DISALLOW CGO_LDFLAGS CGO_LDFLAGS_ALLOW CGO_LDFLAGS_DISALLOW CXX FC GCCGO GO111MODULE GO386
	GOAMD64 GOARCH GOARM GOARM64 GOAUTH GOBIN GOCACHE GOCACHEPROG GOENV GOEXE GOEXPERIMENT GOFIPS140 GOFLAGS
	GOGCCFLAGS GOHOSTARCH GOHOSTOS GOINSECURE GOMIPS GOMIPS64 GOMODCACHE GONOPROXY GONOSUMDB GOOS GOPATH
	GOPPC64 GOPRIVATE GOPROXY GORISCV64 GOROOT GOSUMDB GOTMPDIR GOTOOLCHAIN GOTOOLDIR GOVCS GOWASM GOWORK
	GO_EXTLINK_ENABLED PKG_CONFIG

	GOCOVERDIR GODEBUG GOGC GOMAXPROCS GOMEMLIMIT GORACE GOTRACEBACK GOAWAY GOMOD GOVERSION GOTELEMETRY
	GOTELEMETRYDIR GONOSUMCHECK GOSSAFUNC GOSSADIR GOSSAHASH GOCLOBBERDEADHASH GOTESTJSON

	GOROOT_BOOTSTRAP GOROOT_FINAL GOROOT_FINAL_OLD GOBUILDEXIT GOBUILDTIMELOGFILE GOBOOTSTRAP_TOOLEXEC
	GO_GCFLAGS GO_LDFLAGS GO_LDSO GO_ASMFLAGS BOOT_GO_GCFLAGS BOOT_GO_LDFLAGS GO_TEST_SHORT GO_TEST_SHARDS
	GO_TEST_TIMEOUT_SCALE GO_DISTFLAGS GODEBUGGER CC_FOR_TARGET CXX_FOR_TARGET

	GO_BUILDER_ENV GO_BUILDER_FLAKY_NET GO_BUILDER_NAME GO_BUILDER_SET_GOPROXY GO_BUILDLET_TOKEN
	GO_BUILD_KEY_DELETE_AFTER_READ GO_BUILD_KEY_PATH GO_DISABLE_OUTBOUND_NETWORK GO_STAGE0_NET_DELAY
	GO_STAGE0_DL_DELAY GO_TEST_NO_EXEC GOMOTE_GROUP GOMOTEDISABLELUCI GOWASIRUNTIME GOWASIRUNTIMEARGS

	PATH HOME USER LANG TMPDIR TEMP TMP SHELL WORKDIR
`)

// oneOff reports whether one letter too many, too few or wrong, or two that
// changed places, make b of a.
func oneOff(a, b string) bool {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch {
	case a == b:
		return false
	case len(a) == len(b):
		return a[1:] == b[1:] || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	case len(a) == len(b)+1:
		return a[1:] == b
	case len(b) == len(a)+1:
		return b[1:] == a
	}
	return false
}
