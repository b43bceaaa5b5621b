//! A disk as POSIX promises it and no better: a file's bytes are kept from its last fsync, a name from the last fsync of its
//! folder. What came later may be there in part, in the order in which it was done, per file and per folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::dice::Dice;
use crate::trace::Operation;

/// What a power failure leaves of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Of each file and folder some of the changes, in their order; the last write of a file may be torn.
    Some,
    /// As above, and a write-ahead log is as long as later writes made it, with zeros where their bytes should be. RocksDB
    /// takes a manifest with such an end for damaged, and says so: that a file system does this to it is not modelled.
    SomeAndZeros,
}

/// Files by their path from the root, with their bytes; folders without.
pub type Image = BTreeMap<String, Option<Vec<u8>>>;

/// Where the root is among the nodes.
const ROOT: usize = 0;

#[derive(Clone, Debug)]
enum Node {
    File { now: Vec<u8>, kept: Vec<u8>, pending: Vec<Change> },
    Folder { now: Names, kept: Names, pending: Vec<Vec<(String, Option<usize>)>> },
}

type Names = BTreeMap<String, usize>;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }

    /// A write of which only the beginning arrived.
    fn torn(&self, dice: &mut Dice) -> Option<Self> {
        match self {
            Self::Write { offset, data } if data.len() > 1 => {
                let data = data[..dice.up_to(data.len() - 1)].to_vec();
                Some(Self::Write { offset: *offset, data })
            }
            _ => None,
        }
    }
}

/// The disk after some operations.
#[derive(Clone, Debug)]
pub struct Disk {
    nodes: Vec<Node>,
    open: HashMap<i32, usize>,
}

impl Disk {
    /// A disk that holds `image` and nothing unsynced.
    pub fn holding(image: &Image) -> Self {
        let root = Node::Folder { now: Names::new(), kept: Names::new(), pending: Vec::new() };
        let mut disk = Self { nodes: vec![root], open: HashMap::new() };
        for (path, bytes) in image {
            let node = match bytes {
                Some(bytes) => Node::File { now: bytes.clone(), kept: bytes.clone(), pending: Vec::new() },
                None => Node::Folder { now: Names::new(), kept: Names::new(), pending: Vec::new() },
            };
            let number = disk.add(node);
            let (folder, name) = disk.place(path);
            disk.rename_in(folder, vec![(name, Some(number))]);
            disk.sync(folder);
        }
        disk
    }

    /// Does one more operation.
    pub fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Open { fd, path, folder, truncate } => {
                let node = match self.find(path) {
                    Some(node) => node,
                    None => {
                        assert!(!folder, "{path} was never made");
                        let empty = Node::File { now: Vec::new(), kept: Vec::new(), pending: Vec::new() };
                        self.name(path, empty)
                    }
                };
                self.open.insert(*fd, node);
                if *truncate {
                    self.change(*fd, Change::Length(0));
                }
            }
            Operation::Write { fd, offset, data } => {
                self.change(*fd, Change::Write { offset: *offset, data: data.clone() });
            }
            Operation::Length { fd, length } => self.change(*fd, Change::Length(*length)),
            Operation::Sync { fd } => self.sync(self.open[fd]),
            Operation::SyncFailed { fd } => self.forget(self.open[fd]),
            Operation::Close { fd } => {
                self.open.remove(fd);
            }
            Operation::Rename { from, to } => self.rename(from, to),
            Operation::Link { from, to } => {
                let node = self.find(from).unwrap();
                let (folder, name) = self.place(to);
                self.rename_in(folder, vec![(name, Some(node))]);
            }
            Operation::Remove { path } => {
                let (folder, name) = self.place(path);
                self.rename_in(folder, vec![(name, None)]);
            }
            Operation::MakeFolder { path } => {
                self.name(path, Node::Folder { now: Names::new(), kept: Names::new(), pending: Vec::new() });
            }
        }
    }

    /// What programs see now.
    pub fn now(&self) -> Image {
        let contents = self.nodes.iter().map(|node| match node {
            Node::File { now, .. } => Content::File(now.clone()),
            Node::Folder { now, .. } => Content::Folder(now.clone()),
        });
        image_from(&contents.collect::<Vec<_>>())
    }

    /// What is there after the power went now.
    pub fn after_power_loss(&self, survival: Survival, dice: &mut Dice) -> Image {
        let logs = self.logs();
        let contents = self.nodes.iter().enumerate().map(|(number, node)| {
            let survival = match survival {
                Survival::SomeAndZeros if !logs.contains(&number) => Survival::Some,
                other => other,
            };
            left_of(node, survival, dice)
        });
        image_from(&contents.collect::<Vec<_>>())
    }

    /// The files that are, or were, write-ahead logs.
    fn logs(&self) -> BTreeSet<usize> {
        let names = self.nodes.iter().filter_map(|node| match node {
            Node::Folder { now, kept, .. } => Some(now.iter().chain(kept)),
            Node::File { .. } => None,
        });
        names.flatten().filter(|(name, _)| name.ends_with(".log")).map(|(_, node)| *node).collect()
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn name(&mut self, path: &str, node: Node) -> usize {
        let number = self.add(node);
        let (folder, name) = self.place(path);
        self.rename_in(folder, vec![(name, Some(number))]);
        number
    }

    fn find(&self, path: &str) -> Option<usize> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |node, name| {
            let Node::Folder { now, .. } = &self.nodes[node] else { return None };
            now.get(name).copied()
        })
    }

    /// The folder that a path's last name is in, and that name.
    fn place(&self, path: &str) -> (usize, String) {
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap();
        (self.find(folder).unwrap_or_else(|| panic!("the folder of {path} was never made")), name.to_owned())
    }

    fn rename(&mut self, from: &str, to: &str) {
        let node = self.find(from).unwrap();
        let ((from, old), (to, new)) = (self.place(from), self.place(to));
        if from == to {
            self.rename_in(from, vec![(old, None), (new, Some(node))]);
        } else {
            self.rename_in(to, vec![(new, Some(node))]);
            self.rename_in(from, vec![(old, None)]);
        }
    }

    /// Changes names of one folder at once.
    fn rename_in(&mut self, folder: usize, changes: Vec<(String, Option<usize>)>) {
        let Node::Folder { now, pending, .. } = &mut self.nodes[folder] else {
            panic!("a file has no names")
        };
        apply_names(now, &changes);
        pending.push(changes);
    }

    fn change(&mut self, fd: i32, change: Change) {
        let Node::File { now, pending, .. } = &mut self.nodes[self.open[&fd]] else {
            panic!("a folder has no bytes")
        };
        change.apply(now);
        pending.push(change);
    }

    fn sync(&mut self, node: usize) {
        match &mut self.nodes[node] {
            Node::File { kept, pending, .. } => {
                pending.drain(..).for_each(|change| change.apply(kept));
            }
            Node::Folder { kept, pending, .. } => {
                pending.drain(..).for_each(|changes| apply_names(kept, &changes));
            }
        }
    }

    /// A failed fsync: the system takes the pages for clean afterwards, no later fsync brings them to the disk.
    fn forget(&mut self, node: usize) {
        if let Node::File { pending, .. } = &mut self.nodes[node] {
            pending.clear();
        }
    }
}

/// What one node holds, seen in one way. A file with two names has one content.
enum Content {
    File(Vec<u8>),
    Folder(Names),
}

fn image_from(contents: &[Content]) -> Image {
    let mut image = Image::new();
    let mut waiting = vec![(ROOT, String::new())];
    while let Some((number, path)) = waiting.pop() {
        let bytes = match &contents[number] {
            Content::File(bytes) => Some(bytes.clone()),
            Content::Folder(names) => {
                waiting.extend(names.iter().map(|(name, node)| (*node, format!("{path}/{name}"))));
                None
            }
        };
        if number != ROOT {
            image.insert(path, bytes);
        }
    }
    image
}

fn apply_names(names: &mut Names, changes: &[(String, Option<usize>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn left_of(node: &Node, survival: Survival, dice: &mut Dice) -> Content {
    let mut arrived = |pending: usize| if survival == Survival::Nothing { 0 } else { dice.up_to(pending) };
    match node {
        Node::File { kept, pending, .. } => {
            let mut bytes = kept.clone();
            let arrived = arrived(pending.len());
            pending[..arrived].iter().for_each(|change| change.apply(&mut bytes));
            if survival == Survival::Nothing {
                return Content::File(bytes);
            }
            if let Some(torn) = pending.get(arrived).and_then(|change| change.torn(dice)) {
                torn.apply(&mut bytes);
            }
            if survival == Survival::SomeAndZeros {
                for change in &pending[arrived..] {
                    if let Change::Write { offset, data } = change
                        && bytes.len() < offset + data.len()
                    {
                        bytes.resize(offset + data.len(), 0);
                    }
                }
            }
            Content::File(bytes)
        }
        Node::Folder { kept, pending, .. } => {
            let mut names = kept.clone();
            pending[..arrived(pending.len())].iter().for_each(|changes| apply_names(&mut names, changes));
            Content::Folder(names)
        }
    }
}

/// Reads a folder of the real file system.
pub fn image_of(root: &Path) -> Image {
    fn read(folder: &Path, path: &str, image: &mut Image) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{path}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                image.insert(path.clone(), None);
                read(&entry.path(), &path, image);
            } else {
                image.insert(path, Some(std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    let mut image = Image::new();
    read(root, "", &mut image);
    image
}

/// Makes the files and folders of an image below an empty folder.
pub fn write_to(root: &Path, image: &Image) {
    for (path, bytes) in image {
        let place = root.join(path.trim_start_matches('/'));
        match bytes {
            Some(bytes) => std::fs::write(place, bytes).unwrap(),
            None => std::fs::create_dir(place).unwrap(),
        }
    }
}
