// Sends a photo, or the camera's pictures one at a time, and shows the numbers that come back.

const $ = (id) => document.getElementById(id);
const photo = $("photo");
const camera = $("camera");
const maxBytes = Number(document.body.dataset.maxBytes);
const SPEAK_EVERY = 4000; // milliseconds: a screen reader must come to the end of a sentence
const CAMERA_SIDE = 960; // pixels

let turn = 0; // counts what was asked for: an answer to anything earlier is dropped
let stream = null;
let spokenAt = -Infinity;

// --- What is shown ---------------------------------------------------------------------

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function inColour(made, face) {
  made.style.setProperty("--mark", `var(--${face.gender ?? "unknown"})`);
  return made;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function percent(p) {
  return `${Math.min(99, Math.round(100 * p))} %`; // never certain
}

function knows(face) {
  return Number.isFinite(face.age);
}

function genderText(face) {
  if (face.unclear) {
    return `the face is ${face.unclear}`;
  }
  if (face.gender) {
    return `looks ${face.gender}, ${percent(Math.max(face.p_female, 1 - face.p_female))} sure`;
  }
  return "female or male: cannot tell";
}

function ageText(face) {
  if (face.unclear) {
    return "Cannot tell";
  }
  return knows(face) ? `Looks ${face.age_low} to ${face.age_high}` : "Age: cannot tell";
}

function scale(face) {
  const range = element("i");
  range.style.left = `${face.age_low}%`;
  range.style.width = `${Math.min(100, face.age_high) - face.age_low}%`;
  const mean = element("i", { className: "mean" });
  mean.style.left = `${face.age}%`;
  const years = [0, 25, 50, 75, 100].map((year) => element("span", {}, String(year)));
  const drawn = element(
    "div",
    {},
    element("div", { className: "scale" }, range, mean),
    element("div", { className: "years" }, ...years),
  );
  drawn.ariaHidden = "true";
  return drawn;
}

function card(face, index) {
  const said = element(
    "div",
    {},
    element("strong", {}, ageText(face)),
    ...(knows(face) ? [scale(face)] : []),
    element("small", {}, capital(genderText(face))),
  );
  const name = element("h3", { ariaLabel: `Face ${index + 1}` }, String(index + 1));
  return inColour(element("li", { className: "face" }, name, said), face);
}

function box(face, index) {
  let [left, top, width, height] = face.box;
  if (stream) {
    left = 1 - left - width; // the camera is shown as a mirror
  }
  const pixels = width * $("view").clientWidth;
  const range = pixels > 50 && knows(face) ? `: ${face.age_low}–${face.age_high}` : "";
  const drawn = element("div", { className: "box" }, element("span", {}, index + 1 + range));
  drawn.classList.toggle("small", pixels < 30);
  drawn.classList.toggle("high", top < 0.09);
  Object.entries({ left, top, width, height }).forEach(([side, fraction]) => {
    drawn.style[side] = `${100 * fraction}%`;
  });
  return inColour(drawn, face);
}

function sentence(faces) {
  const each = faces.slice(0, 5).map((face, index) => {
    return `Face ${index + 1}: ${ageText(face).toLowerCase()}, ${genderText(face)}.`;
  });
  const rest = faces.length > 5 ? ` And ${faces.length - 5} more.` : "";
  return `${count(faces)}. ${each.join(" ")}${rest}`;
}

function count(faces) {
  return faces.length === 1 ? "1 face found" : `${faces.length || "No"} faces found`;
}

function show({ faces, milliseconds }) {
  $("heading").textContent = count(faces);
  const legend = faces.some(knows) ? " The bar is the range, the line the best guess." : "";
  $("hint").textContent = faces.length
    ? `Looked at in ${milliseconds} milliseconds.${legend}`
    : "A face is found best when it is larger than a thumbnail, well lit and turned to the camera.";
  $("faces").replaceChildren(...faces.map(card));
  $("boxes").replaceChildren(...faces.map(box));
  const now = performance.now();
  if (!stream || now - spokenAt > SPEAK_EVERY) {
    spokenAt = now;
    say(faces.length ? sentence(faces) : `No faces found. ${$("hint").textContent}`);
  }
}

function say(text) {
  if ($("spoken").textContent !== text) {
    $("spoken").textContent = text;
  }
}

function clear(heading, hint = "") {
  $("heading").textContent = heading;
  $("hint").textContent = hint;
  $("faces").replaceChildren();
  $("boxes").replaceChildren();
}

function explain(problem) {
  $("problem").textContent = problem;
}

function display(shown, width, height) {
  $("invitation").hidden = shown !== null;
  $("view").hidden = shown === null;
  $("view").style.setProperty("--ratio", width / height);
  photo.hidden = shown !== photo;
  camera.hidden = shown !== camera;
}

function startAgain(problem) {
  turn += 1;
  display(null);
  clear("No picture yet", "The answers will stand here, one for each face.");
  say("");
  explain(problem);
}

// --- What is asked ---------------------------------------------------------------------

// Return the answer, or the problem as a sentence.
async function ask(picture) {
  let response;
  try {
    response = await fetch("look", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: picture,
    });
    if (response.ok) {
      return await response.json();
    }
  } catch {
    return { problem: "The demo does not answer any more. Start it again, then reload this page." };
  }
  if (response.status === 500) {
    return { problem: "The demo failed at this picture. Try another one." };
  }
  return { problem: await response.text(), busy: response.status === 503 };
}

// --- Photos ----------------------------------------------------------------------------

async function look(files) {
  const [file] = files;
  stopCamera();
  const mine = ++turn;
  if (file.size > maxBytes) {
    startAgain(`The file is larger than ${maxBytes / 1e6} MB. Send a smaller copy of the picture.`);
    return;
  }
  explain(files.length > 1 ? `One picture at a time: this is ${file.name}.` : "");
  clear("Looking…");
  URL.revokeObjectURL(photo.src);
  photo.src = URL.createObjectURL(file);
  photo.decode().then(
    () => mine === turn && display(photo, photo.naturalWidth, photo.naturalHeight),
    () => mine === turn && display(null), // the browser cannot; the demo perhaps can
  );
  const answer = await ask(file);
  if (mine !== turn) {
    return;
  }
  if (answer.problem) {
    startAgain(answer.problem);
    return;
  }
  show(answer);
}

$("file").addEventListener("change", () => {
  if ($("file").files.length) {
    look([...$("file").files]);
    $("file").value = ""; // so that the same file can be chosen again
  }
});

function take(transfer, nothing) {
  if (transfer.files.length) {
    look([...transfer.files]);
  } else {
    explain(nothing);
  }
}

document.addEventListener("paste", (event) => {
  take(event.clipboardData, "There is no picture in what you pasted. Copy a picture, or choose a photo.");
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    document.body.classList.remove("dropping");
  }
});

document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer, "That was an address, not a file. Save the picture first, then drop the file.");
});

// --- Camera ----------------------------------------------------------------------------

const REFUSED = {
  NotAllowedError:
    "The browser did not allow the camera. Allow it beside the page’s address, then try again.",
  NotFoundError: "No camera was found. Plug one in, then try again.",
  NotReadableError: "The camera is in use by another program. Close that, then try again.",
};

async function startCamera() {
  const mine = ++turn;
  explain("");
  if (!navigator.mediaDevices) {
    explain(
      "Browsers give the camera only to pages from the same computer. Open the demo there, or choose a photo.",
    );
    return;
  }
  let opened;
  try {
    opened = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 1280 } },
    });
  } catch (error) {
    if (mine === turn) {
      explain(REFUSED[error.name] ?? `The camera could not be started (${error.name}). Try again.`);
    }
    return;
  }
  if (mine !== turn) {
    opened.getTracks().forEach((track) => track.stop());
    return;
  }
  stream = opened;
  spokenAt = -Infinity;
  $("switch").textContent = "Stop the camera";
  clear("Looking…");
  watch(mine);
}

function stopCamera() {
  turn += 1;
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  $("switch").textContent = "Use the camera";
}

// Show each picture with its own answer: over the moving film, boxes would come too late.
async function watch(mine) {
  const film = element("video", { srcObject: stream, muted: true, playsInline: true });
  const [track] = stream.getVideoTracks();
  const shot = document.createElement("canvas");
  film.play().catch(() => {}); // stopped meanwhile
  while (mine === turn) {
    let wait = document.hidden ? 500 : 30;
    if (track.readyState === "ended") {
      stopCamera();
      startAgain("The camera was unplugged or switched off. Plug it in, then try again.");
    } else if (film.videoWidth && !document.hidden) {
      const scaled = Math.min(1, CAMERA_SIDE / Math.max(film.videoWidth, film.videoHeight));
      shot.width = Math.round(scaled * film.videoWidth);
      shot.height = Math.round(scaled * film.videoHeight);
      shot.getContext("2d").drawImage(film, 0, 0, shot.width, shot.height);
      const answer = await ask(await new Promise((done) => shot.toBlob(done, "image/jpeg", 0.9)));
      if (mine !== turn) {
        return;
      }
      if (answer.busy) {
        wait = 1000;
      } else if (answer.problem) {
        stopCamera();
        startAgain(answer.problem);
      } else {
        [camera.width, camera.height] = [shot.width, shot.height];
        camera.getContext("2d").drawImage(shot, 0, 0);
        display(camera, shot.width, shot.height);
        answer.faces.reverse(); // shown as a mirror
        show(answer);
      }
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

$("switch").addEventListener("click", () => {
  if (stream) {
    stopCamera();
    startAgain("");
  } else {
    startCamera();
  }
});
