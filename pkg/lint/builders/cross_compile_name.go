package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "cross-compile-name", Severity: lint.Error, Title: "a builder type that only cross-compiles and does not say so, or the other way round",
		Why: "A builder type with CompileOnly whose target is not its host runs no tests at all: only misc-compile-* and *-crosscompile are called so. " +
			"One that is called so and is not runs all.bash for a port that its host may not be able to execute. " +
			"Upstream's tests allow exactly misc-compile* and linux-s390x-crosscompile.",
		Before:  `addBuilder(BuildConfig{Name: "misc-compile-freebsd-arm", HostType: "host-linux-amd64-bullseye", env: []string{"GOOS=freebsd", "GOARCH=arm"}})`,
		After:   `addBuilder(BuildConfig{Name: "misc-compile-freebsd-arm", HostType: "host-linux-amd64-bullseye", env: []string{"GOOS=freebsd", "GOARCH=arm"}, CompileOnly: true})`,
		Section: "build protocol, section 12.3, rule 21",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			compileOnly, known := b.Bool("CompileOnly")
			target, host, ok := p.crossTarget(b)
			if b.Rejected || !known || !ok || oldCompile(b) {
				continue
			}
			switch named := p.crossNamed(b.Key); {
			case compileOnly && target != host && !named:
				p.Reportf(place(b), "builder type %s compiles for %s on %s and runs no test, which its name does not say: call it misc-compile-%s", b.Key, target, host, portOf(b.Key))
			case !upstreamCross(b.Key): // others may well be called so
			case !compileOnly:
				p.Reportf(place(b), "builder type %s is to compile only, by its name, but CompileOnly is not set", b.Key)
			case target == host && p.lacksPort(b) == "":
				p.Reportf(place(b), "builder type %s is to compile for another port, by its name, but it builds for %s as its host does", b.Key, target)
			}
		}
	},
})

// upstreamCross reports whether upstream's tests want the builder type to do
// nothing but cross-compile.
func upstreamCross(name string) bool {
	return strings.HasPrefix(name, "misc-compile") || name == "linux-s390x-crosscompile"
}

// crossNamed reports whether a name says that a builder type may do nothing
// but cross-compile.
func (p *Pass) crossNamed(name string) bool {
	if p.upstream() {
		return upstreamCross(name)
	}
	return strings.Contains(name, "compile") || slices.Contains(parts(name), "cross")
}

// oldCompile reports whether b is, or may be, one of the misc-compile builder
// types of before 2023, for several ports that a script's arguments name.
func oldCompile(b *buildconfig.Record) bool {
	has, typed := b.Has("allScriptArgs")
	set, known := isSet(b, "allScriptArgs")
	return strings.HasPrefix(b.Key, "misc-") && (!typed || has && (set || !known))
}

// crossTarget returns what IsCrossCompileOnly compares: the target as GOOS,
// GOARCH and GOARM of the environment say, and HostArch.
func (p *Pass) crossTarget(b *buildconfig.Record) (target, host string, ok bool) {
	h := p.HostOf(b)
	env, all := p.Environ(b)
	if other, known := b.IsNil("TestHostConf"); h == nil || !all || known && !other {
		return "", "", false
	}
	host, ok = h.String("HostArch")
	part := parts(host)
	if !ok || len(part) < 2 || len(part) > 3 {
		return "", "", false
	}
	part = append(part, "")
	for i, name := range []string{"GOOS", "GOARCH", "GOARM"} {
		if v, found, _ := buildconfig.Setting(env, all, name); found {
			part[i] = v.Value
		}
	}
	if part[1] == "arm" && part[2] == "" {
		part[2] = "7"
	}
	return strings.TrimSuffix(strings.Join(part[:3], "-"), "-"), host, true
}
