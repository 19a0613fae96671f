package buildlet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gobuild/pkg/lazyre"
)

// Entry is a line of a listing (build protocol, section 3.6).
type Entry struct {
	Mode   string    // Go's FileMode text, as -rw-r--r--
	Name   string    // relative to the listed directory; ends in / for a directory
	Size   int64     // bytes; regular files only
	Time   time.Time // whole seconds, UTC; regular files only
	Digest string    // hex SHA-1 of the content, if asked for; regular files only
	Line   string    // as it was sent
}

// IsDir reports whether e is a directory.
func (e Entry) IsDir() bool { return strings.HasPrefix(e.Mode, "d") }

// regularLine matches the line of a regular file. The protocol quotes
// nothing, so a name with tabs is found from the line's end.
var regularLine = lazyre.New(`^([^\t]+)\t(.*)\t([0-9]+)\t([0-9]{4}-[0-9-]+T[0-9:]+Z)(?:\t([0-9a-f]{40}))?$`)

// parseEntry reads a line without its newline.
func parseEntry(line string) (Entry, error) {
	e := Entry{Line: line}
	m := regularLine.FindStringSubmatch(line)
	if m == nil {
		var ok bool
		if e.Mode, e.Name, ok = strings.Cut(line, "\t"); !ok {
			return e, fmt.Errorf("line %q is no entry", line)
		}
		return e, nil
	}
	e.Mode, e.Name, e.Digest = m[1], m[2], m[5]
	var err error
	if e.Size, err = strconv.ParseInt(m[3], 10, 64); err != nil {
		return e, fmt.Errorf("line %q: size: %w", line, err)
	}
	if e.Time, err = time.Parse(time.RFC3339, m[4]); err != nil {
		return e, fmt.Errorf("line %q: time: %w", line, err)
	}
	return e, nil
}
