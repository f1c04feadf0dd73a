/** Work of one kind since the start. */
export interface WorkDone {
  count: number;
  bytes: number;
}
