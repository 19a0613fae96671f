package main

import (
	"errors"
	"regexp"
	"strings"
	"sync"
)

// cobraWords are what cobra says of flags that do not fit together, and what
// gobuild says in its place; both are of the flags that the first group names.
var cobraWords = sync.OnceValue(func() []cobraWord {
	return []cobraWord{
		{regexp.MustCompile(`^required flag\(s\) (".+") not set$`), " and ", "%s is missing", "%s are missing"},
		{regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.+)\] were all set$`), " and ", "", "%s exclude each other"},
	}
})

type cobraWord struct {
	re        *regexp.Regexp
	join      string // between two flags
	one, many string
}

// inOurWords returns err, which came of cobra's look at the command line, in
// the words of gobuild's own messages; any other error as it is.
func inOurWords(err error) error {
	for _, word := range cobraWords() {
		m := word.re.FindStringSubmatch(err.Error())
		if m == nil {
			continue
		}
		flags := strings.Fields(strings.NewReplacer(`"`, "", ",", "").Replace(m[1]))
		says := word.many
		if len(flags) == 1 {
			says = word.one
		}
		return errors.New(strings.Replace(says, "%s", "--"+strings.Join(flags, word.join+"--"), 1))
	}
	return err
}
