/** What the tab follows behind its views: a run, a portfolio or a sweep, one at a time, as a tab has one stream. */

let leaveFollowed: () => void = () => {};

/** Follow something from now on; what was followed before is left. `leave` leaves it. */
export function followInBackground(leave: () => void): void {
  if (leave !== leaveFollowed) leaveFollowed();
  leaveFollowed = leave;
}
