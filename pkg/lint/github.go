package lint

import (
	"fmt"
	"io"
	"strings"
)

// WriteGitHub prints findings as commands that GitHub Actions shows beside the
// lines of a change.
func WriteGitHub(w io.Writer, findings []Finding) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	command := map[Severity]string{Error: "error", Warning: "warning", Info: "notice"}
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "::%s file=%s,line=%d,endLine=%d,col=%d,endColumn=%d,title=%s::%s\n",
			command[f.Severity], property.Replace(f.File), f.Line, f.EndLine, f.Column, f.EndColumn, property.Replace(f.Rule), data.Replace(f.Message)); err != nil {
			return err
		}
	}
	return nil
}
