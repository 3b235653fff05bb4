/** Says that what is shown is not of the fields beside it any more. */
export function Edited({ action }: { action: string }) {
  return (
    <p class="quiet" role="status">
      Fields were changed since. Press {action} for results of what they say now.
    </p>
  );
}
