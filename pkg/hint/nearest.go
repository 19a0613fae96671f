package hint

// Nearest returns the one of known that name is most likely a slip of the
// finger for, or "" if none is near: at most a third of its letters, and never
// more than four, may differ. Of equally near ones the first wins.
func Nearest(name string, known []string) string {
	best, bestDist := "", min(len(name)/3, 4)+1
	for _, k := range known {
		if d := distance(name, k); d < bestDist {
			best, bestDist = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
