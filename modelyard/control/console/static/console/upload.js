// The upload form: drag and drop, the order of several files, and a progress bar that tells what was really sent.
(function () {
  "use strict";

  // As the pages write a size: four digits at most, none of them a zero at the end.
  function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (bytes >= 1024 && unit < units.length - 1) {
      bytes /= 1024;
      unit += 1;
    }
    return Number(bytes.toPrecision(4)) + " " + units[unit];
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function setFiles(input, files) {
    const carrier = new DataTransfer();
    files.forEach(function (file) {
      carrier.items.add(file);
    });
    input.files = carrier.files;
    show(input);
  }

  // The list was made anew, and the button that was pressed is gone.
  function focusRow(input, place) {
    const row = document.getElementById(input.dataset.list).children[place];
    (row ? row.querySelector("button") : input).focus();
  }

  function iconButton(input, name, label, act) {
    const button = element("button", "button quiet small square");
    button.type = "button";
    button.setAttribute("aria-label", label);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", input.dataset.icons + "#" + name);
    svg.append(use);
    button.append(svg);
    button.addEventListener("click", act);
    return button;
  }

  function show(input) {
    const list = document.getElementById(input.dataset.list);
    const files = Array.from(input.files);
    list.replaceChildren();
    files.forEach(function (file, place) {
      const row = element("li");
      if (files.length > 1) row.append(element("span", "muted number", place + 1 + "."));
      row.append(element("span", "file-name", file.name), element("span", "muted small nowrap", size(file.size)));
      if (place > 0) {
        row.append(
          iconButton(input, "up", "Move " + file.name + " up", function () {
            const moved = files.slice();
            moved.splice(place - 1, 0, moved.splice(place, 1)[0]);
            setFiles(input, moved);
            focusRow(input, place - 1);
          })
        );
      }
      row.append(
        iconButton(input, "cross", "Remove " + file.name, function () {
          setFiles(
            input,
            files.filter(function (_, other) {
              return other !== place;
            })
          );
          focusRow(input, Math.min(place, files.length - 2));
        })
      );
      list.append(row);
    });
  }

  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-drop] input[type=file]")) show(event.target);
  });

  ["dragenter", "dragover", "dragleave", "drop"].forEach(function (kind) {
    document.addEventListener(kind, function (event) {
      const drop = event.target.closest && event.target.closest("[data-drop]");
      if (!drop) return;
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "dragover") event.preventDefault();
      if (kind !== "drop") return;
      event.preventDefault();
      const input = drop.querySelector("input[type=file]");
      const before = input.multiple ? Array.from(input.files) : [];
      const came = Array.from(event.dataTransfer.files);
      setFiles(input, before.concat(input.multiple ? came : came.slice(0, 1)));
    });
  });

  // htmx sends the form; here its progress is shown.
  function parts(form) {
    return { box: form.querySelector("[data-progress]"), bar: form.querySelector("progress"), text: form.querySelector("[data-progress-text]") };
  }
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (!event.target.matches("[data-upload]")) return;
    const shown = parts(event.target);
    shown.box.hidden = false;
    shown.bar.value = 0;
    shown.text.textContent = "Sending";
    event.target.querySelector("[data-summary]").textContent = "";
  });
  document.addEventListener("htmx:xhr:progress", function (event) {
    const form = event.target.closest && event.target.closest("[data-upload]");
    if (!form || !event.detail.lengthComputable) return;
    const shown = parts(form);
    const share = event.detail.loaded / event.detail.total;
    shown.bar.value = share;
    shown.text.textContent =
      share < 1 ? size(event.detail.loaded) + " of " + size(event.detail.total) : "Sent; the server is keeping the files";
  });
  // The bound is kept before any page is made: its refusal is the API's, and names the bound and the setting.
  function tooLarge(xhr) {
    try {
      const message = JSON.parse(xhr.responseText).error.message;
      return message.charAt(0).toUpperCase() + message.slice(1) + ".";
    } catch {
      return "The files are larger than this server takes.";
    }
  }
  document.addEventListener("htmx:afterRequest", function (event) {
    const status = event.detail.xhr.status;
    // A 422 is a success to htmx, since what it says is shown; without an answer the status is 0.
    if (!event.target.matches("[data-upload]") || (status >= 200 && status < 400)) return;
    parts(event.target).box.hidden = true;
    if (status === 422) return;
    const said = event.target.querySelector("[data-summary]");
    said.textContent =
      status === 413 ? tooLarge(event.detail.xhr) : "The upload did not arrive" + (status ? " (" + status + ")" : "") + ". Try again.";
  });
})();
