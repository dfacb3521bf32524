/** The candidate that is most similar to a misspelled name, or `undefined` if none is similar. */
export function findNearestName(name: string, candidates: readonly string[]): string | undefined {
  const lowerCaseName = name.toLowerCase();
  let nearest: string | undefined;
  // A name of two letters is one edit away from too many candidates.
  let smallest = name.length < 3 ? 1 : Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(lowerCaseName, candidate.toLowerCase());
    if (edits < smallest) {
      smallest = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

/** The end of a message about an unknown name: `; did you mean \`port\`?`, or an empty string if no candidate is similar. */
export function suggestName(name: string, candidates: readonly string[]): string {
  const nearest = findNearestName(name, candidates);
  return nearest === undefined ? '' : `; did you mean \`${nearest}\`?`;
}

/** Damerau-Levenshtein distance: insertions, deletions, substitutions and transpositions. */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (line: number, column: number) => rows[line]?.[column] ?? 0;
  for (let line = 1; line <= from.length; line++) {
    const row = [line];
    rows.push(row);
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[line - 1] === to[column - 1];
      const isSwapped =
        line > 1 && column > 1 && from[line - 1] === to[column - 2] && from[line - 2] === to[column - 1];
      row.push(
        Math.min(
          at(line - 1, column - 1) + (isSame ? 0 : 1),
          at(line - 1, column) + 1,
          at(line, column - 1) + 1,
          isSwapped ? at(line - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(from.length, to.length);
}
