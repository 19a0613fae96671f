package builders

import (
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-path", Severity: lint.Warning, Title: "a PATH with the separators of another operating system",
		Why: "Directories in PATH are separated by ; on Windows and by : elsewhere. With the other one the whole " +
			"text is the name of one directory, which there is not, and no command is found.",
		Before: `"host-windows-amd64": {VMImage: "windows-amd64", env: []string{"PATH=C:/go/bin:C:/msys64/bin"}},`,
		After:  `"host-windows-amd64": {VMImage: "windows-amd64", env: []string{"PATH=C:/go/bin;C:/msys64/bin"}},`,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(r *buildconfig.Record, list []envVar) {
			goos := p.osOf(r)
			for _, e := range list {
				if e.Pair && e.Name == "PATH" && goos != "" {
					p.envPath(e, goos)
				}
			}
		})
	},
})

// drive is the beginning of a directory with its drive, where a list has one.
var drive = lazyre.New(`(?i)(^|[:;])[a-z]:`)

func (p *Pass) envPath(e envVar, goos string) {
	colons := strings.Contains(drive.ReplaceAllString(e.Value, "$1"), ":")
	switch semicolons := strings.Contains(e.Value, ";"); {
	case goos == "plan9": // has its own
	case goos == "windows" && colons && !semicolons:
		p.Reportf(e.Node, "the directories of this PATH are separated by colons: on windows it has to be semicolons")
	case goos != "windows" && semicolons && !colons:
		p.Reportf(e.Node, "the directories of this PATH are separated by semicolons: on %s it has to be colons", goos)
	}
}
