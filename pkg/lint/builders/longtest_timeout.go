package builders

import (
	"slices"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "longtest-timeout", Severity: lint.Info, Title: "a longtest builder type with the time limits of short tests",
		Why: "A run of tests may take 20 minutes times GO_TEST_TIMEOUT_SCALE, which is 1 if nothing sets it. " +
			"Long tests take several times as long as short ones, so that longtest builders have a scale of 5 or more: where three of a file have one, the others should too.",
		Before: `addBuilder(BuildConfig{Name: "linux-arm64-longtest", HostType: "host-linux-arm64-bullseye"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-bookworm-longtest", HostType: "host-linux-amd64-bookworm", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-bullseye-longtest", HostType: "host-linux-amd64-bullseye", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-sid-longtest", HostType: "host-linux-amd64-sid", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})`,
		After: `addBuilder(BuildConfig{Name: "linux-arm64-longtest", HostType: "host-linux-arm64-bullseye", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-bookworm-longtest", HostType: "host-linux-amd64-bookworm", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-bullseye-longtest", HostType: "host-linux-amd64-bullseye", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-sid-longtest", HostType: "host-linux-amd64-sid", env: []string{"GO_TEST_TIMEOUT_SCALE=5"}})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		var without []*buildconfig.Record
		with := 0
		for _, b := range p.Builders {
			if b.Rejected || !slices.Contains(parts(b.Key), "longtest") {
				continue
			}
			env, all := p.Environ(b)
			switch _, found, known := buildconfig.Setting(env, all, "GO_TEST_TIMEOUT_SCALE"); {
			case found:
				with++
			case known:
				without = append(without, b)
			}
		}
		for _, b := range without {
			if with > 2 { // the file has the habit
				p.Reportf(place(b), "builder type %s runs long tests, but unlike the others of that kind it has no GO_TEST_TIMEOUT_SCALE", b.Key)
			}
		}
	},
})
