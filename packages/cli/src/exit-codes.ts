/** How the process ends. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** As a shell tells of a command that Ctrl-C ended. */
export const EXIT_INTERRUPTED = 130;
/** The same, of one whose terminal went away. */
export const EXIT_HUNG_UP = 129;
