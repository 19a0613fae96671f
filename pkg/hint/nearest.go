package hint

import "strings"

// Nearest returns the one of known that name is most likely a slip of the
// finger for, or "" if none is near: at most a third of its letters, and never
// more than four, may differ. Two neighbours that changed places count as one
// letter, capitals as small ones. Of equally near ones the first wins.
func Nearest(name string, known []string) string {
	name = strings.ToLower(name)
	best, bestDist := "", min(len(name)/3, 4)+1
	for _, k := range known {
		if d := distance(name, strings.ToLower(k)); d < bestDist {
			best, bestDist = k, d
		}
	}
	return best
}

// Sole is Nearest for a change that is made without asking: at most two
// letters may differ, no digit among them, and no other of known may be as
// near.
func Sole(name string, known []string) string {
	near := Nearest(name, known)
	if near == "" || digits(near) != digits(name) {
		return ""
	}
	dist := distance(strings.ToLower(name), strings.ToLower(near))
	if dist > 2 {
		return ""
	}
	for _, k := range known {
		if k != near && distance(strings.ToLower(name), strings.ToLower(k)) <= dist {
			return ""
		}
	}
	return near
}

// digits returns the digits of a name.
func digits(name string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, name)
}

// distance is the Levenshtein distance of a and b in bytes, where two
// neighbours that changed places are one step.
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := above[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, row[j]+1, above[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
