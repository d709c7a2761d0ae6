// What moves on the page, and the links that save its drawings. Everything but these works without it.
const by = (id) => document.getElementById(id);

// A link to save each drawing as a file of its own, in the colours of white paper.
for (const figure of document.querySelectorAll('figure[id]')) {
  const drawings = figure.querySelectorAll('svg');
  if (!drawings.length) continue;
  const links = document.createElement('p');
  links.className = 'save';
  drawings.forEach((drawing, number) => {
    const name = figure.id + (number ? '-' + (number + 1) : '') + '.svg';
    const link = document.createElement('a');
    link.href = '#' + figure.id;
    link.download = name;
    link.textContent = drawings.length > 1 ? 'SVG ' + (number + 1) : 'SVG';
    link.title = 'save ' + name;
    link.addEventListener('click', () => {
      // The checkpoints' drawings are replaced as the slider moves.
      const shown = figure.querySelectorAll('svg')[number];
      link.href = URL.createObjectURL(new Blob([alone(shown)], { type: 'image/svg+xml' }));
    });
    links.append(link);
  });
  figure.append(links);
}

function alone(drawing) {
  const copy = drawing.cloneNode(true);
  copy.querySelectorAll('.lit').forEach((lit) => lit.classList.remove('lit'));
  const { width, height } = drawing.viewBox.baseVal;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', width);
  copy.setAttribute('height', height);
  const style = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  style.textContent = by('figures-style').textContent;
  const paper = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [key, value] of [['width', '100%'], ['height', '100%'], ['fill', 'var(--card)']]) paper.setAttribute(key, value);
  copy.prepend(style, paper);
  const colours = JSON.parse(by('palette').textContent);
  return new XMLSerializer().serializeToString(copy).replace(/var\((--[a-z]+)\)/g, (whole, name) => colours[name] ?? whole);
}

// The chain walking. It waits until it is asked to.
if (by('walk')) {
  const path = JSON.parse(by('walk-data').textContent);
  const bits = Uint8Array.from(atob(path.images), (c) => c.charCodeAt(0));
  const bytes = Math.ceil((path.rows * path.columns) / 8);
  const canvas = by('walk-image').getContext('2d');
  const graph = by('graph') ?? document;
  let at = 0, timer = null;
  by('walk').hidden = false;

  function show(step) {
    at = step;
    const image = canvas.createImageData(path.columns, path.rows);
    for (let pixel = 0; pixel < path.rows * path.columns; pixel++) {
      const lit = (bits[step * bytes + (pixel >> 3)] >> (pixel & 7)) & 1;
      image.data.set([255 * lit, 255 * lit, 255 * lit, 255], 4 * pixel);
    }
    canvas.putImageData(image, 0, 0);
    graph.querySelectorAll('.lit').forEach((lit) => lit.classList.remove('lit'));
    const here = path.nodes[step], before = path.nodes[step - 1];
    graph.querySelector(`[data-node="${here}"]`)?.classList.add('lit');
    graph.querySelector(`[data-edge="${before}-${here}"]`)?.classList.add('lit');
    by('walk-now').textContent = `step ${step}: ${path.names[step]}`;
    by('walk-at').value = step;
  }
  const next = () => show((at + 1) % path.states.length);
  function pause() {
    clearInterval(timer);
    timer = null;
    by('walk-play').textContent = 'Play';
  }
  function play() {
    clearInterval(timer);
    timer = setInterval(next, 1000 / 2 ** by('walk-speed').value);
    by('walk-play').textContent = 'Pause';
  }
  by('walk-play').addEventListener('click', () => (timer === null ? play() : pause()));
  by('walk-next').addEventListener('click', () => { pause(); next(); });
  by('walk-at').addEventListener('input', () => { pause(); show(Number(by('walk-at').value)); });
  by('walk-speed').addEventListener('input', () => { if (timer !== null) play(); });
  // A reload may keep the slider where it was.
  show(0);
}

// Checkpoint after checkpoint.
if (by('emergence')) {
  const stills = JSON.parse(by('checkpoints-data').textContent);
  const slider = by('checkpoint');
  by('checkpoint-slider').hidden = false;
  slider.value = stills.length - 1;
  slider.addEventListener('input', () => {
    const [name, html] = stills[slider.value];
    by('checkpoint-name').textContent = name;
    by('checkpoint-shown').innerHTML = html;
  });
}
