/** Columns for people: padded to the widest cell, numbers to the right. */

export interface Column {
  title: string;
  align?: 'left' | 'right';
}

/** Without titles for the second and later parts of one table. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { withTitles = true } = {},
): string {
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const padding = ' '.repeat(widths[index]! - displayWidth(cell));
        return columns[index]!.align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  const titles = withTitles ? [line(columns.map((column) => column.title))] : [];
  return `${[...titles, ...rows.map(line)].join('\n')}\n`;
}

/** Terminal cells, near enough for file names: combining marks take none, East Asian wide characters two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
