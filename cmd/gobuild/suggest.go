package main

import (
	"strings"

	"gobuild/pkg/hint"
)

// suggest returns the known word that word most likely stands for, or "": the
// only one that it is the beginning of, else the nearest in spelling.
func suggest(word string, known []string) string {
	var begins []string
	for _, k := range known {
		if word != "" && strings.HasPrefix(k, word) {
			begins = append(begins, k)
		}
	}
	if len(begins) == 1 {
		return begins[0]
	}
	return hint.Nearest(word, known)
}
