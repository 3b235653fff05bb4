import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  title: string;
  /** What happens, and whether it can be undone. */
  children: ComponentChildren;
  /** The name of the button that does it. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something is done that cannot be undone. Escape and "Keep" do nothing. */
export function ConfirmDialog({ title, children, action, onConfirm, onClose }: Props) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current!.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="confirm" aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
      <div class="row">
        <button type="button" onClick={() => dialog.current!.close()}>
          Keep
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            dialog.current!.close();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </dialog>
  );
}
