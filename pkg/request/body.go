package request

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"text/template"
	"unicode"
)

// parts are what the body's template gets: all of it checked or to be quoted.
type parts struct {
	ID          string // random; the issue is known again by it
	Port        string
	Hostname    string
	FQDN        string
	Label       string
	Contact     string
	Notes       string
	CSR         string // PEM; empty: it follows as an attachment
	Fingerprint string // of the CSR's key
	Report      string
	// AttachReport says that the report follows as an attachment.
	AttachReport bool
	Bot          bool // gopherbot sets labels there
}

//go:embed body.md.tmpl
var bodyText string

// bodyTemplate is parsed when it is first wanted: most commands never do.
var bodyTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("body").Funcs(template.FuncMap{
		"code":   code,
		"fenced": fenced,
	}).Parse(bodyText))
})

// body words the parts in GitHub's Markdown.
func (p parts) body() (string, error) {
	var b bytes.Buffer
	if err := bodyTemplate().Execute(&b, p); err != nil {
		return "", fmt.Errorf("word the request: %w", err)
	}
	return b.String(), nil
}

// Marker is the line by which the filed request is known again.
func (p parts) Marker() string { return marker(p.ID) }

// marker is the line by which a filed request is known again.
func marker(id string) string { return "<!-- gobuild-request: " + id + " -->" }

// fenced returns text as a fenced block, in which nothing is Markdown, a
// mention or HTML. The fence is longer than any row of backquotes inside.
func fenced(text string) string {
	fence := strings.Repeat("`", max(3, longestRow(text)+1))
	return fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence
}

// code returns a line of text as a span of code, likewise.
func code(text string) string {
	fence := strings.Repeat("`", longestRow(text)+1)
	// A blank keeps the text's own backquotes away from the fence, and is
	// not shown.
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRow returns the length of the longest row of backquotes in text.
func longestRow(text string) int {
	longest, row := 0, 0
	for _, r := range text {
		if row++; r != '`' {
			row = 0
		}
		longest = max(longest, row)
	}
	return longest
}

// plain returns text with Unix line ends, without blank lines around it, and
// without characters that a page does not show as they are: those that
// control, hide, or turn the direction of reading. A coordinator refuses them.
func plain(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, text)
	return strings.Trim(text, "\n")
}

// shorten cuts text at the end of a line so that it has at most size bytes,
// and says so.
func shorten(text string, size int) string {
	if len(text) <= size {
		return text
	}
	text = text[:size]
	if end := strings.LastIndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "") + "\n[the rest is cut off]"
}
