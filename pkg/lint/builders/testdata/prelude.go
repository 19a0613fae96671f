// The frame that the tests' builders.go files lie in: the types, and what
// happens when the program starts.
package dashboard

import (
	"fmt"
	"strings"
)

// Person is an owner of machines.
type Person struct{ Name, GitHub string }

// HostConfig is a host type.
type HostConfig struct {
	HostType, HostArch, GoBootstrap string
	VMImage, ContainerImage         string
	IsReverse                       bool
	machineType                     string
	RegularDisk                     bool
	MinCPUPlatform                  string
	cosArchitecture                 string
	IsEC2                           bool
	CustomDeleteTimeout             int64
	ExpectNum                       int
	HermeticReverse, GoogleReverse  bool
	NestedVirt                      bool
	KonletVMImage                   string
	env                             []string
	Owners                          []*Person
	Notes                           string
	SSHUsername                     string
	RootDriveSizeGB                 int64
}

// MajorMinor is a Go release.
type MajorMinor struct{ Major, Minor int }

// BuildConfig is a builder type.
type BuildConfig struct {
	Name, HostType                    string
	KnownIssues                       []int
	Notes                             string
	tryBot                            func(proj, branch, goBranch string) bool
	tryOnly, CompileOnly, FlakyNet    bool
	buildsRepo                        func(repo, branch, goBranch string) bool
	RunBench                          bool
	MinimumGoVersion                  MajorMinor
	SkipSnapshot, StopAfterMake       bool
	privateGoProxy                    bool
	InstallRacePackages, GoDeps       []string
	distTestAdjust                    func(run bool, distTest string, isNormalTry bool) bool
	numTestHelpers, numTryTestHelpers int
	env                               []string
	makeScriptArgs, allScriptArgs     []string
	TestHostConf                      *HostConfig
	isRestricted                      bool
}

// Builders are the builder types.
var Builders = map[string]*BuildConfig{}

const GoBootstrap = "go1.24.6"

var people = map[string]*Person{
	"@gopher": {"Gopher", "gopher"},
	"@joe":    {"Joe", "joe"},
}

func gh(name string) *Person {
	p := people["@"+strings.ToLower(name)]
	if p == nil {
		panic("nobody is called " + name + " at GitHub")
	}
	return p
}

func init() {
	for key, h := range Hosts {
		if h.HostType == "" {
			h.HostType = key
		}
		if h.HostType != key {
			panic(fmt.Sprintf("host type %q under %q", h.HostType, key))
		}
		if h.HostArch == "" {
			part := strings.Split(key, "-")
			if len(part) < 3 {
				panic("no HostArch in " + key)
			}
			h.HostArch = part[1] + "-" + part[2]
			if part[2] == "arm" {
				h.HostArch += "-7"
			}
		}
		if h.GoBootstrap == "" {
			h.GoBootstrap = GoBootstrap
		}
	}
}

func addBuilder(b BuildConfig) {
	if b.Name == "" {
		panic("a builder type without a name")
	}
	if b.HostType == "" {
		panic("builder type " + b.Name + " without a host type")
	}
	if Builders[b.Name] != nil {
		panic("two builder types " + b.Name)
	}
	if Hosts[b.HostType] == nil {
		panic("builder type " + b.Name + " on unknown host type " + b.HostType)
	}
	if b.SkipSnapshot && b.numTestHelpers+b.numTryTestHelpers > 0 {
		panic("builder type " + b.Name + " skips its snapshot and has helpers")
	}
	for _, issue := range b.KnownIssues {
		if issue == 0 {
			panic("issue 0 in " + b.Name)
		}
	}
	Builders[b.Name] = &b
}

// BuildsRepoPostSubmit reports whether a repository is built after submission.
func (b *BuildConfig) BuildsRepoPostSubmit(repo, branch, goBranch string) bool {
	return !b.tryOnly && b.buildsRepoAtAll(repo, branch, goBranch)
}

// BuildsRepoTryBot reports whether it is built before submission.
func (b *BuildConfig) BuildsRepoTryBot(repo, branch, goBranch string) bool {
	return b.tryBot != nil && b.tryBot(repo, branch, goBranch) && b.buildsRepoAtAll(repo, branch, goBranch)
}

func (b *BuildConfig) buildsRepoAtAll(repo, branch, goBranch string) bool {
	if b.buildsRepo != nil {
		return b.buildsRepo(repo, branch, goBranch)
	}
	return buildRepoByDefault(repo)
}

func buildRepoByDefault(repo string) bool {
	switch repo {
	case "build", "exp", "mobile", "pkgsite-metrics", "vulndb", "website":
		return false
	}
	return true
}
